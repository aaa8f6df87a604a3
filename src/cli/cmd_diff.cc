#include "cli/cmd_diff.h"

#include <algorithm>
#include <fmt/format.h>
#include <optional>
#include <unistd.h>

#include "cli/cmd_trace.h"
#include "cli/diff_arguments.h"
#include "cli/input_file.h"
#include "cli/output_file.h"
#include "cli/read_progress.h"
#include "cli/terminal.h"
#include "explain/diff_findings.h"
#include "explain/inspection_diff.h"
#include "sources/heap_profile_reader.h"
#include "views/diff_view.h"
#include "views/inspection_diff_view.h"
#include "views/report_text.h"
#include "views/utf8.h"

namespace mini::cli {
namespace {

int complain(int status, const std::string& message) {
  print_complaint("heapspy diff", message);
  return status;
}

Result<model::HeapProfile> read(const std::string& file) {
  ReadProgressLine line;
  return sources::read_heap_profile(
      file, {}, [&line](std::uint64_t read, std::uint64_t all) { line.update(read, all); });
}

void write_text(views::Output& output, int fd, const explain::ProfileDiff& diff,
                std::span<const explain::Finding> findings, const DiffArguments& arguments) {
  views::DiffOptions options;
  options.style = choose_style(look_around(fd), arguments.color, arguments.width);
  options.top = arguments.top.value_or(options.top);
  options.depth = arguments.depth.value_or(options.depth);
  options.by = arguments.by;
  options.measure = arguments.measure;
  options.before_file = arguments.before;
  options.after_file = arguments.after;
  views::write_diff(output.buffer(), diff, findings, options);
}

void write(views::Output& output, int fd, const explain::ProfileDiff& diff,
           const DiffArguments& arguments) {
  const std::vector<explain::Finding> findings = explain::find_in_diff(diff);
  if (arguments.json) {
    views::write_diff_json(output, diff, findings,
                           {.version = MINI_VERSION,
                            .before_file = arguments.before,
                            .after_file = arguments.after,
                            .measure = arguments.measure.value_or(explain::Measure::kPeak),
                            .by = arguments.by,
                            .top = arguments.top});
  } else {
    write_text(output, fd, diff, findings, arguments);
  }
  output.flush();
}

/// The status for what grew from `before` to `after`, with a word about it if that is too much.
int check_growth(const DiffArguments& arguments, std::string_view what, explain::Measure measure,
                 std::uint64_t before, std::uint64_t after) {
  if (!arguments.most_growth || !arguments.most_growth->is_exceeded(before, after)) return 0;
  const GrowthLimit& limit = *arguments.most_growth;
  const std::string most = limit.is_percent ? fmt::format("{}%", limit.percent)
                                            : views::measure_amount(measure, limit.amount);
  return complain(kExitGrowth,
                  fmt::format("{}: {} more than before: --fail-on-growth allows {}", what,
                              views::measure_amount(measure, after - before), most));
}

int check_growth(const explain::ProfileDiff& diff, const DiffArguments& arguments) {
  const auto measure = arguments.measure.value_or(explain::Measure::kPeak);
  const explain::BeforeAndAfter totals = explain::totals_of(diff);
  return check_growth(arguments, views::measure_title(measure), measure,
                      explain::measure_of(totals.before, measure),
                      explain::measure_of(totals.after, measure));
}

// ── Two inspections ──────────────────────────────────────────────────────────────────────────────

/// Whether a file may be what `heapspy inspect --json` wrote: a recording begins with other bytes.
bool is_inspection(const PeekedFile& file) {
  return file.first_byte() == '{';
}

Result<explain::InspectionFacts> read_facts(const PeekedFile& file, bool growth_matters) {
  const auto text = file.read_all();
  if (!text) return std::unexpected(text.error());
  auto facts = explain::read_inspection_facts(*text);
  if (!facts) return fail(fmt::format("'{}': {}", file.path(), facts.error().message));
  const std::optional<std::string>& reason = facts->no_heap_because;
  if (growth_matters && reason) {
    return fail(fmt::format("'{}' has no heap whose growth could fail: {}", file.path(),
                            views::printable(*reason, false)));
  }
  return facts;
}

std::uint64_t live_bytes(const explain::InspectionFacts& facts) {
  return static_cast<std::uint64_t>(
      std::max<std::int64_t>(facts.totals.find("live_bytes")->second.value_or(0), 0));
}

struct TwoFiles {
  PeekedFile before;
  PeekedFile after;
};

Result<TwoFiles> open_files(const DiffArguments& arguments) {
  auto before = PeekedFile::open(arguments.before);
  if (!before) return std::unexpected(before.error());
  auto after = PeekedFile::open(arguments.after);
  if (!after) return std::unexpected(after.error());
  return TwoFiles{.before = std::move(*before), .after = std::move(*after)};
}

std::string inspection_diff_text(const explain::InspectionDiff& diff,
                                 const DiffArguments& arguments, int fd) {
  const auto findings = explain::find_in_inspection_diff(diff);
  const views::InspectionDiffOptions options{
      .style = choose_style(look_around(fd), arguments.color, arguments.width),
      .top = arguments.top,
      .before_file = arguments.before,
      .after_file = arguments.after,
      .version = MINI_VERSION};
  std::string text;
  const auto write =
      arguments.json ? views::write_inspection_diff_json : views::write_inspection_diff;
  write(text, diff, findings, options);
  return text;
}

int diff_of_inspections(const TwoFiles& files, const DiffArguments& arguments) {
  if (arguments.by || arguments.measure || arguments.depth) {
    return complain(kExitUsage, "--by, --measure and --depth are for recordings: leave them out");
  }
  const auto before = read_facts(files.before, arguments.most_growth.has_value());
  if (!before) return complain(kExitOutputError, before.error().message);
  const auto after = read_facts(files.after, arguments.most_growth.has_value());
  if (!after) return complain(kExitOutputError, after.error().message);
  const std::string text =
      inspection_diff_text(explain::diff_inspections(*before, *after), arguments,
                           arguments.output_path ? -1 : STDOUT_FILENO);
  auto file = open_whole_output(arguments.output_path);
  if (!file) return complain(kExitOutputError, file.error().message);
  if (const auto written = write_whole(*file, text); !written) {
    return complain(kExitOutputError, written.error().message);
  }
  return check_growth(arguments, "live", explain::Measure::kPeak, live_bytes(*before),
                      live_bytes(*after));
}

int diff(const DiffArguments& arguments) {
  const auto files = open_files(arguments);
  if (!files) return complain(kExitOutputError, files.error().message);
  if (is_inspection(files->before) != is_inspection(files->after)) {
    const bool is_before = is_inspection(files->before);
    return complain(
        kExitOutputError,
        fmt::format("'{}' is of heapspy inspect, and '{}' is not: type two files of one kind",
                    is_before ? arguments.before : arguments.after,
                    is_before ? arguments.after : arguments.before));
  }
  if (is_inspection(files->before)) return diff_of_inspections(*files, arguments);
  const auto before = read(arguments.before);
  if (!before) return complain(kExitOutputError, before.error().message);
  const auto after = read(arguments.after);
  if (!after) return complain(kExitOutputError, after.error().message);
  const explain::ProfileDiff diff = explain::diff_profiles(*before, *after);
  auto file = open_whole_output(arguments.output_path);
  if (!file) return complain(kExitOutputError, file.error().message);
  views::Output output(file->fd(), views::Output::Flush::kBatched);
  write(output, file->fd(), diff, arguments);
  if (const auto written = finish_output(output, *file); !written) {
    return complain(kExitOutputError, written.error().message);
  }
  return check_growth(diff, arguments);
}

}  // namespace

int run_diff_command(std::span<const std::string> words) {
  const auto arguments = parse_diff_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy diff", diff_help());
  if (const auto other =
          check_not_input(arguments->output_path, {{arguments->before, arguments->after}});
      !other) {
    return complain(kExitUsage, other.error().message);
  }
  return diff(*arguments);
}

}  // namespace mini::cli
