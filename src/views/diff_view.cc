#include "views/diff_view.h"

#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/profile_frames.h"
#include "views/flow.h"
#include "views/place_table.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/stack_text.h"
#include "views/terminal_heading.h"
#include "views/text_table.h"

namespace mini::views {
namespace {

using explain::BeforeAndAfter;
using explain::Difference;
using explain::Measure;
using explain::ProfileDiff;
using Align = TextTable::Align;

constexpr std::size_t kLabelColumn = 2;
constexpr std::size_t kValueColumn = 10;

/// "+12 MiB", "-3", "0 B".
std::string change_text(const Difference& change, Measure measure) {
  std::string_view sign = change.is_growth ? "+" : "-";
  if (change.amount == 0) sign = "";
  return fmt::format("{}{}", sign, measure_amount(measure, change.amount));
}

/// "+34.5%", "new" of what was not there before.
std::string relative_text(const BeforeAndAfter& both, Measure measure) {
  const Difference change = explain::difference(both, measure);
  const std::uint64_t before = explain::measure_of(both.before, measure);
  if (change.amount == 0) return "-";
  if (before == 0) return "new";
  std::string part =
      format_percent(static_cast<double>(change.amount), static_cast<double>(before));
  if (part.front() == '<') return part;
  return fmt::format("{}{}", change.is_growth ? '+' : '-', part);
}

std::vector<std::string> figures_of(const BeforeAndAfter& both, Measure measure) {
  return {change_text(explain::difference(both, measure), measure),
          measure_amount(measure, explain::measure_of(both.before, measure)),
          measure_amount(measure, explain::measure_of(both.after, measure))};
}

void write_recording(std::string& out, const TextStyle& style, std::string_view label,
                     std::string_view file, const model::HeapProfile& profile) {
  Flow(out, style, kValueColumn)
      .column(kLabelColumn)
      .put(Ink::kStrong, label)
      .column(kValueColumn)
      .put(fmt::format("{}: {}, {}", file, describe_profile(profile),
                       report_time(profile.duration_ns)))
      .end_line();
}

void write_totals(std::string& out, const ProfileDiff& diff, const DiffOptions& options) {
  write_heading(out, options.style, "Diff", "before and after");
  write_recording(out, options.style, "before", options.before_file, *diff.before);
  write_recording(out, options.style, "after", options.after_file, *diff.after);
  out += '\n';
  TextTable table;
  table.add_column("", Align::kLeft);
  for (const char* title : {"before", "after", "change", ""})
    table.add_column(title, Align::kRight);
  const BeforeAndAfter totals = explain::totals_of(diff);
  for (const Measure measure : kDiffMeasures) {
    if (!explain::is_known(diff, measure)) {
      table.add_row({std::string(measure_title(measure)), "-", "-", "-", "-"});
      continue;
    }
    const std::vector<std::string> figures = figures_of(totals, measure);
    table.add_row({std::string(measure_title(measure)), figures[1], figures[2], figures[0],
                   relative_text(totals, measure)});
  }
  table.write(out, options.style);
  if (diff.before->is_estimate || diff.after->is_estimate) {
    Flow(out, options.style, 4)
        .column(kLabelColumn)
        .put(Ink::kDim, "Sampled: figures are estimates, and differ by chance, too.")
        .end_line();
  }
}

/// Whether there were any.
bool write_stacks(std::string& out, const ProfileDiff& diff, const DiffOptions& options,
                  Measure measure, bool growths) {
  const std::vector<std::size_t> order = explain::rank_differences(diff, measure, growths);
  if (order.empty()) return false;
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style,
                fmt::format("{}: {}", growths ? "More" : "Less", measure_title(measure)),
                shown_of(shown, order.size(), "stack"));
  std::vector<explain::ProfileStackView> stacks;
  for (std::size_t i = 0; i < shown; ++i) {
    const explain::LatestStack latest = explain::latest(diff, diff.stacks[order[i]]);
    stacks.push_back(explain::stack_view(*latest.profile, latest.node));
  }
  const std::vector<StackText> texts = describe_stacks(stacks, options.depth);
  PlaceTable table({"change", "before", "after"});
  for (std::size_t i = 0; i < shown; ++i) {
    table.add_row(figures_of(diff.stacks[order[i]], measure), texts[i].place, texts[i].callers,
                  texts[i].callees);
  }
  table.write(out, options.style);
  return true;
}

void write_groups(std::string& out, const ProfileDiff& diff, const DiffOptions& options,
                  explain::Grouping grouping) {
  const Measure measure = options.measure.value_or(Measure::kPeak);
  std::vector<explain::GroupDiff> groups = explain::diff_groups(diff, grouping, measure);
  std::erase_if(groups, [measure](const explain::GroupDiff& group) {
    return explain::difference(group, measure).amount == 0;
  });
  const std::string_view what = explain::grouping_name(grouping);
  const std::size_t shown = std::min(groups.size(), options.top);
  write_heading(
      out, options.style, fmt::format("By {}: {}", what, measure_title(measure)),
      groups.empty() ? "nothing changed" : shown_of(shown, groups.size(), what) + " that changed");
  PlaceTable table({"change", "before", "after"}, std::string(what));
  for (std::size_t i = 0; i < shown; ++i) {
    table.add_row(figures_of(groups[i], measure), groups[i].name, {});
  }
  table.add_row(figures_of(explain::totals_of(diff), measure), "all", {});
  table.write(out, options.style);
}

}  // namespace

void write_diff(std::string& out, const ProfileDiff& diff,
                std::span<const explain::Finding> findings, const DiffOptions& options) {
  write_totals(out, diff, options);
  write_report_findings(out, findings, options.style);
  if (options.by) {
    write_groups(out, diff, options, *options.by);
    return;
  }
  if (options.measure && !explain::is_known(diff, *options.measure)) {
    write_heading(out, options.style, "Stacks", kNotSampled);
    return;
  }
  bool has_any = false;
  for (const Measure measure : kDiffMeasures) {
    if (options.measure && *options.measure != measure) continue;
    if (!explain::is_known(diff, measure)) continue;
    has_any |= write_stacks(out, diff, options, measure, true);
    has_any |= write_stacks(out, diff, options, measure, false);
  }
  if (has_any) return;
  write_heading(out, options.style, "Stacks", "none differs");
  Flow(out, options.style, 2)
      .column(2)
      .put(options.measure ? fmt::format("Every stack has as much {} as before.",
                                         measure_title(*options.measure))
                           : "Every stack has the same figures before and after.")
      .end_line();
}

}  // namespace mini::views
