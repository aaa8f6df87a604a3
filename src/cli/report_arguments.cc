#include "cli/report_arguments.h"

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "cli/duration.h"
#include "cli/help.h"
#include "cli/output_file.h"
#include "cli/own_words.h"
#include "cli/size.h"

namespace mini::cli {
namespace {

/// What CLI11 fills in, before it is checked.
struct RawArguments {
  ReportArguments parsed;
  std::string top;
  std::size_t depth = 0;
  std::string by;
  std::string tree;
  std::string measure;
  std::string focus;
  std::string at;
  std::vector<std::string> between;
  bool json = false;
  std::string exported;
  std::string suppressions_path;
  std::string output_path;
  RawLook look;
  std::string fail_on_leak;
};

void add_show_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kShow =
      "What to show (summary, timeline, findings and tables if nothing is chosen)";
  app.add_option("--by", raw.by,
                 "sums by function, file, module, thread or size; with --tree, a tree of these, or "
                 "one for each")
      ->option_text("WHAT")
      ->group(kShow);
  app.add_option("--tree", raw.tree,
                 "a tree of callees, from the program's beginning inwards (the default), or of "
                 "callers, from the places that allocate outwards")
      ->option_text("[=WAY]")
      ->expected(0, 1)
      ->group(kShow);
  app.add_option("--measure", raw.measure,
                 "only this table: peak, leaked, allocated, calls or temporary; --by, --tree and "
                 "--export go by the peak without it")
      ->option_text("WHAT")
      ->group(kShow);
  app.add_option("--top", raw.top,
                 "rows of each table, branches of a tree (10), or all; --json without it merges "
                 "stacks of little weight")
      ->option_text("N")
      ->group(kShow);
  app.add_option("--depth", raw.depth,
                 "of tables of stacks the callers under each place (3), of --tree its levels (32)")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(kShow);
}

void add_part_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kPart = "Which part";
  app.add_option("--focus", raw.focus,
                 "only stacks with a function, file or module that matches (POSIX extended)")
      ->option_text("REGEX")
      ->group(kPart);
  app.add_option("--at", raw.at, "as though the recording ended at TIME: 12.5s, 340ms")
      ->option_text("TIME")
      ->group(kPart);
  app.add_option("--between", raw.between, "only what was allocated from time A to time B")
      ->option_text("A B")
      ->expected(2)
      ->group(kPart);

  app.add_option("--suppressions", raw.suppressions_path,
                 "leaks that are no news: lines of leak:PATTERN, as LeakSanitizer has them")
      ->option_text("FILE")
      ->group(kPart);
}

void add_output_options(CLI::App& app, RawArguments& raw) {
  constexpr auto kOutput = "Where it goes";
  app.add_flag("--json", raw.json, "one JSON object instead of text")->group(kOutput);
  app.add_option("--export", raw.exported,
                 "for another tool: folded, flamegraph (SVG), pprof, speedscope, perfetto or "
                 "sqlite")
      ->option_text("FORM")
      ->group(kOutput);
  app.add_option("-o,--output", raw.output_path, "write to OUT (default, or -: standard output)")
      ->option_text("OUT")
      ->group(kOutput);
  add_look_options(app, raw.look, kOutput);
}

void add_options(CLI::App& app, RawArguments& raw) {
  add_show_options(app, raw);
  add_part_options(app, raw);
  add_output_options(app, raw);
  constexpr auto kChecks = "For scripts";
  app.add_option(
         "--fail-on-leak", raw.fail_on_leak,
         "exit with 3 where more than SIZE (0) was never freed; after record --leaks: is lost")
      ->option_text("[=SIZE]")
      ->expected(0, 1)
      ->group(kChecks);
  app.set_help_flag();  // CLI11's own; ours is an option like the others
  app.allow_extras();
  app.add_flag("-h,--help", raw.parsed.help, "show this help")->group("Other");
}

/// Fails where one of the options is there, since `form` goes without it.
Result<void> check_choices(const CLI::App& app, std::string_view form,
                           std::span<const std::string_view> refused) {
  for (const std::string_view option : refused) {
    if (app.count(std::string(option)) == 0) continue;
    return fail(fmt::format("{} has nothing to choose in {}: leave it out", option, form));
  }
  return {};
}

Result<void> check_by(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (app.count("--by") == 0) return {};
  for (int i = 0; i < explain::kGroupingCount; ++i) {
    const auto grouping = static_cast<explain::Grouping>(i);
    if (raw.by == explain::grouping_name(grouping)) out.by = grouping;
  }
  if (!out.by) {
    return fail(fmt::format("--by {}: choose function, file, module, thread or size", raw.by));
  }
  if (app.count("--tree") != 0) return {};
  static constexpr std::string_view kRefused[] = {"--depth", "--measure", "--top"};
  const bool is_of_all_sizes = *out.by == explain::Grouping::kSize;
  const auto refused = std::span(kRefused).first(is_of_all_sizes ? 3 : 1);
  if (auto checked = check_choices(app, "--by " + raw.by, refused); !checked) return checked;
  if (*out.by != explain::Grouping::kThread && *out.by != explain::Grouping::kSize) return {};
  if (app.count("--focus") == 0) return {};
  return fail(
      fmt::format("--focus chooses stacks, and --by {} has none: leave one of them out, or add "
                  "--tree",
                  raw.by));
}

Result<void> check_tree(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (app.count("--tree") == 0) return {};
  if (raw.tree.empty() || raw.tree == "callees") {
    out.tree = explain::TreeDirection::kCallees;
  } else if (raw.tree == "callers") {
    out.tree = explain::TreeDirection::kCallers;
  } else {
    return fail(fmt::format("--tree={}: choose --tree=callees or --tree=callers", raw.tree));
  }
  return {};
}

Result<void> check_measure(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (app.count("--measure") == 0) return {};
  for (const explain::Measure measure :
       {explain::Measure::kPeak, explain::Measure::kLeaked, explain::Measure::kAllocated,
        explain::Measure::kCalls, explain::Measure::kTemporary}) {
    if (raw.measure != explain::measure_name(measure)) continue;
    out.measure = measure;
    return {};
  }
  return fail(
      fmt::format("--measure {}: choose peak, leaked, allocated, calls or temporary", raw.measure));
}

Result<void> check_span(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  const bool at = app.count("--at") != 0;
  if (at && !raw.between.empty()) return fail("--at and --between are two times: choose one");
  if (at) {
    const auto until = parse_duration(raw.at);
    if (!until) return fail("--at: " + until.error().message);
    out.span.until_ns = *until;
  }
  if (raw.between.size() != 2) return {};
  const auto from = parse_duration(raw.between[0]);
  const auto until = parse_duration(raw.between[1]);
  if (!from) return fail("--between: " + from.error().message);
  if (!until) return fail("--between: " + until.error().message);
  if (*from >= *until) {
    return fail(fmt::format("--between {} {}: {}", raw.between[0], raw.between[1],
                            *from == *until ? "the second time must be later than the first"
                                            : "type the earlier time first"));
  }
  out.span = {.from_ns = *from, .until_ns = *until, .is_half_open = true};
  return {};
}

Result<void> check_export(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  out.exported = find_export_form(raw.exported);
  if (out.exported == nullptr) {
    return fail(fmt::format("--export {}: choose {}", raw.exported, list_export_forms()));
  }
  std::vector<std::string_view> refused = {"--top", "--depth"};
  refused.insert(refused.end(), out.exported->refused_options.begin(),
                 out.exported->refused_options.end());
  if (auto checked = check_choices(app, "--export " + raw.exported, refused); !checked) {
    return checked;
  }
  if (out.exported->write == nullptr && !out.output_path) {
    return fail(fmt::format("--export {} writes a file: say which, with -o FILE", raw.exported));
  }
  return {};
}

Result<void> check_form(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (raw.json) {
    static constexpr std::string_view kRefused[] = {"--depth", "--measure"};
    if (auto checked = check_choices(app, "--json", kRefused); !checked) return checked;
    out.form = ReportForm::kJson;
  }
  if (app.count("--export") != 0) {
    if (raw.json) return fail("--json and --export are two forms: choose one");
    if (auto checked = check_export(raw, app, out); !checked) return checked;
    out.form = ReportForm::kExport;
  }
  if (out.form != ReportForm::kText && (out.by || out.tree)) {
    return fail("--by and --tree are for text: leave out --json and --export");
  }
  return {};
}

Result<void> check_leak(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (app.count("--fail-on-leak") == 0) return {};
  out.most_leaked = Bytes{0};
  if (raw.fail_on_leak.empty()) return {};
  const auto size = parse_size(raw.fail_on_leak);
  if (!size) return fail("--fail-on-leak: " + size.error().message);
  out.most_leaked = *size;
  return {};
}

Result<void> check_numbers(const RawArguments& raw, const CLI::App& app, ReportArguments& out) {
  if (auto read = read_top(app, raw.top, out.top); !read) return read;
  if (app.count("--depth") != 0) out.depth = raw.depth;
  if (app.count("--width") != 0) out.width = raw.look.width;
  if (raw.depth > 1000) return fail(fmt::format("--depth {}: type at most 1000", raw.depth));
  return check_width(out.width);
}

Result<void> check_color(const RawArguments& raw, ReportArguments& out) {
  const auto choice = parse_color_choice(raw.look.color);
  if (!choice) return std::unexpected(choice.error());
  out.color = *choice;
  return {};
}

Result<void> check_file(const std::vector<std::string>& operands, const CLI::App& app,
                        ReportArguments& out) {
  if (operands.empty()) {
    return fail("which recording? type 'heapspy report FILE.heapspy'");
  }
  if (operands.size() > 1) {
    // A value that may be left out is part of its option's word.
    for (const std::string& word : operands) {
      if (app.count("--tree") != 0 && (word == "callers" || word == "callees")) {
        return fail(fmt::format("--tree {}: type --tree={}", word, word));
      }
      if (app.count("--fail-on-leak") != 0 && parse_size(word)) {
        return fail(fmt::format("--fail-on-leak {}: type --fail-on-leak={}", word, word));
      }
    }
    return fail(fmt::format("one recording at a time: leave out '{}'", operands[1]));
  }
  out.file = operands.front();
  return {};
}

Result<ReportArguments> check(RawArguments& raw, const CLI::App& app,
                              const std::vector<std::string>& operands) {
  ReportArguments& out = raw.parsed;
  if (out.help) return out;
  out.focus = raw.focus;
  if (app.count("--output") != 0) out.output_path = output_path_of(raw.output_path);
  if (app.count("--suppressions") != 0) out.suppressions_path = raw.suppressions_path;
  for (auto checked :
       {check_by(raw, app, out), check_tree(raw, app, out), check_measure(raw, app, out),
        check_span(raw, app, out), check_form(raw, app, out), check_leak(raw, app, out),
        check_numbers(raw, app, out), check_color(raw, out), check_file(operands, app, out)}) {
    if (!checked) return std::unexpected(checked.error());
  }
  return out;
}

}  // namespace

Result<ReportArguments> parse_report_arguments(std::span<const std::string> words) {
  CLI::App app;
  RawArguments raw;
  add_options(app, raw);
  const auto operands = parse_options_and_operands(app, words, "report");
  if (!operands) return std::unexpected(operands.error());
  return check(raw, app, *operands);
}

std::string report_help() {
  return with_options(add_options, format_report_help);
}

std::vector<std::string> report_option_names() {
  return with_options(add_options, option_names);
}

}  // namespace mini::cli
