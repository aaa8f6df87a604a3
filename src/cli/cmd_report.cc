#include "cli/cmd_report.h"

#include <algorithm>
#include <fmt/format.h>
#include <regex.h>
#include <string>
#include <unistd.h>

#include "base/text.h"
#include "cli/cmd_trace.h"
#include "cli/input_file.h"
#include "cli/output_file.h"
#include "cli/read_progress.h"
#include "cli/report_arguments.h"
#include "cli/terminal.h"
#include "database/recording_database.h"
#include "explain/leak_suppressions.h"
#include "sources/heap_profile_reader.h"
#include "sources/recorded_modules.h"
#include "views/report_export.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"

namespace mini::cli {
namespace {

constexpr std::size_t kTop = 10;
// Names from a recording may be of any length; the C library's matcher takes time with it.
constexpr std::size_t kMostMatchedBytes = 4096;

int complain(int status, const std::string& message) {
  print_complaint("heapspy report", message);
  return status;
}

/// A POSIX extended regular expression. The C library's matcher does not recurse over its subject,
/// as std::regex does: a name out of a recording may be of any length.
class Pattern {
 public:
  explicit Pattern(const std::string& text)
      : error_(regcomp(&compiled_, text.c_str(), REG_EXTENDED | REG_NOSUB)) {}
  Pattern(const Pattern&) = delete;
  Pattern& operator=(const Pattern&) = delete;
  ~Pattern() {
    if (error_ == 0) regfree(&compiled_);
  }

  Result<void> check(const std::string& text) const {
    if (error_ == 0) return {};
    char buffer[200] = "";
    regerror(error_, &compiled_, buffer, sizeof buffer);
    // "Unmatched ( or \\(": the other is that of basic expressions.
    std::string reason = buffer;
    reason.resize(std::min(reason.find(" or \\"), reason.size()));
    std::erase(reason, '\\');
    return fail(fmt::format("--focus '{}' is no regular expression: {}", text, reason));
  }
  bool matches(const std::string& subject) const {
    return regexec(&compiled_, subject.substr(0, kMostMatchedBytes).c_str(), 0, nullptr, 0) == 0;
  }

 private:
  regex_t compiled_{};
  int error_;
};

views::ReportOptions view_options(const ReportArguments& arguments, int fd) {
  views::ReportOptions options;
  options.style = choose_style(look_around(fd), arguments.color, arguments.width);
  options.top = arguments.top.value_or(kTop);
  options.depth = arguments.depth;
  options.by = arguments.by;
  options.tree = arguments.tree;
  options.measure = arguments.measure;
  options.focus = arguments.focus;
  return options;
}

explain::Measure export_measure(const ReportArguments& arguments) {
  return arguments.measure.value_or(explain::Measure::kPeak);
}

void write(views::Output& output, int fd, const model::HeapProfile& profile,
           std::span<const explain::Finding> findings, const ReportArguments& arguments) {
  switch (arguments.form) {
    case ReportForm::kText:
      views::write_report(output.buffer(), profile, findings, view_options(arguments, fd));
      break;
    case ReportForm::kJson:
      views::write_report_json(
          output, profile, findings,
          {.version = MINI_VERSION, .focus = arguments.focus, .top = arguments.top});
      break;
    case ReportForm::kExport:
      arguments.exported->write(output, profile,
                                {.version = MINI_VERSION, .measure = export_measure(arguments)});
      break;
  }
  output.flush();
}

Result<std::vector<model::LeakSuppression>> read_suppressions(const ReportArguments& arguments) {
  if (!arguments.suppressions_path) return {};
  const auto text = read_text_file(*arguments.suppressions_path);
  if (!text) return std::unexpected(text.error());
  return explain::parse_leak_suppressions(*text, *arguments.suppressions_path);
}

Result<model::HeapProfile> read(const ReportArguments& arguments) {
  // First, since a recording may take a while to read.
  auto suppressions = read_suppressions(arguments);
  if (!suppressions) return std::unexpected(suppressions.error());
  ReadProgressLine line;
  auto profile = sources::read_heap_profile(
      arguments.file, arguments.span,
      [&line](std::uint64_t read_bytes, std::uint64_t file_bytes) {
        line.update(read_bytes, file_bytes);
      },
      arguments.exported != nullptr ? arguments.exported->timeline_buckets
                                    : sources::kTimelineBuckets,
      arguments.tree && arguments.by ? explain::division_for(*arguments.by)
                                     : model::StackDivision::kNone);
  if (profile) explain::suppress_leaks(*profile, std::move(*suppressions));
  return profile;
}

/// Blocks of no bytes are more than nothing.
bool is_more(model::Amount leaked, Bytes most) {
  return leaked.bytes > most.count || (most.count == 0 && leaked.blocks != 0);
}

/// Every event, not what they add up to.
int export_recording(const ReportArguments& arguments) {
  ReadProgressLine line;
  sources::RecordedModules modules;
  const auto written = database::write_recording_database(
      arguments.file, arguments.output_path.value_or(""), MINI_VERSION,
      [&line](std::uint64_t read_bytes, std::uint64_t file_bytes) {
        line.update(read_bytes, file_bytes);
      },
      [&modules](const auto& module, std::uint64_t address) {
        return modules.source_frames(module, address);
      });
  line.erase();
  return written ? 0 : complain(kExitOutputError, written.error().message);
}

/// Whether anything happened in the part that was asked for.
Result<void> check_span(const model::HeapProfile& profile) {
  if (profile.span.from_ns <= profile.duration_ns) return {};
  return fail(fmt::format("--between: the recording ends at {}, before {}: type earlier times",
                          views::report_time(profile.duration_ns),
                          views::report_time(profile.span.from_ns)));
}

/// An export of nothing does not say why: that is said beside it.
void explain_emptiness(const model::HeapProfile& profile, const ReportArguments& arguments) {
  if (arguments.form != ReportForm::kExport) return;
  if (profile.stacks.empty() && !arguments.focus.empty()) {
    complain(0, fmt::format("the export is empty: no stack matches --focus '{}'", arguments.focus));
    return;
  }
  const model::BlockTotals sum = explain::sum_of_stacks(profile);
  const explain::Measure measure = export_measure(arguments);
  if (!arguments.exported->is_of_one_measure || explain::measure_of(sum, measure) != 0) return;
  complain(0, fmt::format("the export is empty: {} (--measure {})",
                          views::why_nothing(profile, measure), explain::measure_name(measure)));
}

int complain_of_leak(const model::HeapProfile& profile, model::Amount leaked, Bytes most) {
  const bool is_one = leaked.blocks == 1;
  std::string what = is_one ? "is lost" : "are lost";
  if (profile.leak_scan.state != model::LeakScan::State::kDone) {
    what = fmt::format("{} {}", is_one ? "was" : "were",
                       views::measure_title(explain::Measure::kLeaked, profile.ends_early()));
  }
  return complain(kExitLeak, fmt::format("{}{} {}: --fail-on-leak allows {}",
                                         profile.is_estimate ? "an estimated " : "",
                                         views::amount_text(leaked, "block"), what,
                                         most.count == 0 ? "none" : format_bytes(most)));
}

/// Why more may have leaked than is known of; "" where nothing is missing.
std::string why_leaks_may_be_missing(const model::HeapProfile& profile) {
  if (profile.is_estimate) {
    return fmt::format("samples, about one block for each {}",
                       format_bytes(Bytes{profile.process.sample_bytes}));
  }
  if (profile.losses.is_cut) return "has no ending";
  if (profile.losses.is_damaged()) return "is damaged";
  return profile.losses.dropped_events != 0 ? "lacks events that were dropped" : "";
}

int check_leak(const model::HeapProfile& profile, Bytes most) {
  const model::Amount leaked = explain::sum_of_stacks(profile).unreachable();
  if (is_more(leaked, most)) return complain_of_leak(profile, leaked, most);
  if (const std::string why = why_leaks_may_be_missing(profile); !why.empty()) {
    complain(0, fmt::format("the recording {}: there may be leaks that it does not tell of", why));
  }
  return 0;
}

int report(const ReportArguments& arguments) {
  const Pattern focus(arguments.focus);
  if (const auto sound = focus.check(arguments.focus); !sound) {
    return complain(kExitUsage, sound.error().message);
  }
  auto profile = read(arguments);
  if (!profile) return complain(kExitOutputError, profile.error().message);
  if (const auto sound = check_span(*profile); !sound) {
    return complain(kExitUsage, sound.error().message);
  }
  // Findings are about the whole program, whatever is shown of it.
  const std::vector<explain::Finding> findings = explain::find_in_heap(*profile);
  if (!arguments.focus.empty()) {
    explain::keep_matching_stacks(
        *profile, [&focus](const std::string& name) { return focus.matches(name); });
  }
  auto file = open_whole_output(arguments.output_path);
  if (!file) return complain(kExitOutputError, file.error().message);
  views::Output output(file->fd(), views::Output::Flush::kBatched);
  write(output, file->fd(), *profile, findings, arguments);
  if (const auto written = finish_output(output, *file); !written) {
    return complain(kExitOutputError, written.error().message);
  }
  explain_emptiness(*profile, arguments);
  return arguments.most_leaked ? check_leak(*profile, *arguments.most_leaked) : 0;
}

}  // namespace

int run_report_command(std::span<const std::string> words) {
  const auto arguments = parse_report_arguments(words);
  if (!arguments) return complain(kExitUsage, arguments.error().message);
  if (arguments->help) return show_text("heapspy report", report_help());
  if (const auto other = check_not_input(
          arguments->output_path, {{arguments->file, arguments->suppressions_path.value_or("")}});
      !other) {
    return complain(kExitUsage, other.error().message);
  }
  if (const ExportForm* form = arguments->exported; form != nullptr) {
    if (form->write == nullptr) return export_recording(*arguments);
    if (form->is_binary && !arguments->output_path && isatty(STDOUT_FILENO) != 0) {
      return complain(kExitUsage,
                      fmt::format("--export {} is not for terminals: add -o FILE", form->name));
    }
  }
  // A closed pipe ends us quietly, as it does `cat`: nobody else depends on us.
  return report(*arguments);
}

}  // namespace mini::cli
