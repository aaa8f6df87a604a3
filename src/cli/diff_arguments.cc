#include "cli/diff_arguments.h"

#include <CLI/CLI.hpp>
#include <charconv>
#include <fmt/format.h>

#include "cli/help.h"
#include "cli/output_file.h"
#include "cli/own_words.h"
#include "cli/size.h"
#include "views/diff_view.h"

namespace mini::cli {
namespace {

constexpr double kMostPercent = 1e9;

/// What CLI11 fills in, before it is checked.
struct RawArguments {
  DiffArguments parsed;
  std::string top;
  std::size_t depth = 0;
  std::string by;
  std::string measure;
  std::string fail_on_growth;
  std::string output_path;
  RawLook look;
};

void add_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kShow =
      "What to show (totals, findings and tables of stacks if nothing is chosen)";
  app.add_option("--by", raw.by, "a table by function, file or module")
      ->option_text("WHAT")
      ->group(kShow);
  app.add_option("--measure", raw.measure,
                 "only this: peak, leaked, allocated, calls or temporary; --by, --json and "
                 "--fail-on-growth go by the peak without it")
      ->option_text("WHAT")
      ->group(kShow);
  app.add_option(
         "--top", raw.top,
         "rows of each table (10), or all; --json without it merges stacks of little weight")
      ->option_text("N")
      ->group(kShow);
  app.add_option("--depth", raw.depth, "of tables of stacks: callers under each place (3)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(kShow);

  constexpr auto kOutput = "Where it goes";
  app.add_flag("--json", raw.parsed.json, "one JSON object instead of text")->group(kOutput);
  app.add_option("-o,--output", raw.output_path, "write to OUT (default, or -: standard output)")
      ->option_text("OUT")
      ->group(kOutput);
  add_look_options(app, raw.look, kOutput);

  app.add_option("--fail-on-growth", raw.fail_on_growth,
                 "exit with 3 where the measure grew by more than LIMIT: 64K, 5%")
      ->option_text("LIMIT")
      ->group("For scripts");
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

Result<void> check_by(const RawArguments& raw, const CLI::App& app, DiffArguments& out) {
  if (app.count("--by") == 0) return {};
  for (const auto grouping :
       {explain::Grouping::kFunction, explain::Grouping::kFile, explain::Grouping::kModule}) {
    if (raw.by == explain::grouping_name(grouping)) out.by = grouping;
  }
  if (out.by) return {};
  return fail(fmt::format("--by {}: choose function, file or module", raw.by));
}

Result<void> check_measure(const RawArguments& raw, const CLI::App& app, DiffArguments& out) {
  if (app.count("--measure") == 0) return {};
  for (const explain::Measure measure : views::kDiffMeasures) {
    if (raw.measure == explain::measure_name(measure)) out.measure = measure;
  }
  if (out.measure) return {};
  return fail(
      fmt::format("--measure {}: choose peak, leaked, allocated, calls or temporary", raw.measure));
}

Result<GrowthLimit> parse_limit(const std::string& text) {
  if (!text.ends_with('%')) {
    const auto size = parse_size(text);
    if (!size) return std::unexpected(size.error());
    return GrowthLimit{.amount = size->count};
  }
  GrowthLimit limit{.is_percent = true};
  const char* const end = text.data() + text.size() - 1;
  const auto [at, error] =
      std::from_chars(text.data(), end, limit.percent, std::chars_format::fixed);
  const bool is_sensible = limit.percent >= 0 && limit.percent <= kMostPercent;  // "nan" is not
  if (error != std::errc{} || at != end || !is_sensible) {
    return fail(fmt::format("'{}' is no percentage: type a number as in 5% or 0.5%", text));
  }
  return limit;
}

Result<void> check_growth(const RawArguments& raw, const CLI::App& app, DiffArguments& out) {
  if (app.count("--fail-on-growth") == 0) return {};
  const auto limit = parse_limit(raw.fail_on_growth);
  if (!limit) return fail("--fail-on-growth: " + limit.error().message);
  out.most_growth = *limit;
  return {};
}

Result<void> check_numbers(const RawArguments& raw, const CLI::App& app, DiffArguments& out) {
  if (auto read = read_top(app, raw.top, out.top); !read) return read;
  if (app.count("--depth") != 0) out.depth = raw.depth;
  if (app.count("--width") != 0) out.width = raw.look.width;
  if (raw.depth > 1000) return fail(fmt::format("--depth {}: type at most 1000", raw.depth));
  return check_width(out.width);
}

Result<void> check_depth(const CLI::App& app, const DiffArguments& out) {
  if (app.count("--depth") == 0 || (!out.json && !out.by)) return {};
  return fail(fmt::format("--depth has nothing to choose in {}: leave it out",
                          out.json ? "--json" : "--by"));
}

Result<void> check_color(const RawArguments& raw, DiffArguments& out) {
  const auto choice = parse_color_choice(raw.look.color);
  if (!choice) return std::unexpected(choice.error());
  out.color = *choice;
  return {};
}

Result<void> check_files(const std::vector<std::string>& operands, DiffArguments& out) {
  if (operands.size() < 2) {
    return fail("which two recordings? type 'heapspy diff BEFORE.heapspy AFTER.heapspy'");
  }
  if (operands.size() > 2) {
    return fail(fmt::format("two recordings at a time: leave out '{}'", operands[2]));
  }
  out.before = operands[0];
  out.after = operands[1];
  return {};
}

Result<DiffArguments> check(RawArguments& raw, const CLI::App& app,
                            const std::vector<std::string>& operands) {
  DiffArguments& out = raw.parsed;
  if (out.help) return out;
  if (app.count("--output") != 0) out.output_path = output_path_of(raw.output_path);
  for (auto checked : {check_by(raw, app, out), check_measure(raw, app, out),
                       check_growth(raw, app, out), check_numbers(raw, app, out),
                       check_depth(app, out), check_color(raw, out), check_files(operands, out)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  return out;
}

}  // namespace

bool GrowthLimit::is_exceeded(std::uint64_t before, std::uint64_t after) const {
  if (after <= before) return false;
  const std::uint64_t growth = after - before;
  if (!is_percent) return growth > amount;
  // What grew from nothing grew by more than any part of it.
  return before == 0 || 100 * static_cast<double>(growth) > percent * static_cast<double>(before);
}

Result<DiffArguments> parse_diff_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  const auto operands = parse_options_and_operands(app, words, "diff");
  if (!operands) return std::unexpected(operands.error());
  return check(raw, app, *operands);
}

std::string diff_help() {
  return with_options(add_options, format_diff_help);
}

std::vector<std::string> diff_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
