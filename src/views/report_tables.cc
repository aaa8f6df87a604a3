// The tables of a report: stacks by each measure, groups, sizes, lifetimes, threads.
#include <algorithm>
#include <array>
#include <cctype>
#include <fmt/format.h>
#include <functional>
#include <span>
#include <utility>

#include "base/text.h"
#include "explain/memory_use.h"
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

using explain::Measure;
using model::BlockTotals;
using model::HeapProfile;
using Align = TextTable::Align;

constexpr std::size_t kCallers = 3;
constexpr std::uint32_t kBarColumns = 20;

std::string share(std::uint64_t part, std::uint64_t whole) {
  return format_percent(static_cast<double>(part), static_cast<double>(whole));
}

std::string mean_bytes(model::Amount amount) {
  return report_bytes(amount.blocks == 0 ? 0 : amount.bytes / amount.blocks);
}

/// "1.5 MiB s": bytes times time.
std::string byte_time(double byte_ns) {
  struct Unit {
    double ns;
    std::string_view name;
  };
  static constexpr std::array<Unit, 3> kUnits = {{{1e9, "s"}, {1e6, "ms"}, {1e3, "us"}}};
  const auto* const unit = std::ranges::find_if(kUnits.begin(), kUnits.end() - 1,
                                                [&](const Unit& u) { return byte_ns >= u.ns; });
  const double bytes = std::min(byte_ns / unit->ns, 1e18);
  return fmt::format("{} {}", report_bytes(static_cast<std::uint64_t>(bytes)), unit->name);
}

std::string mean_lifetime(const BlockTotals& totals) {
  if (totals.freed.blocks == 0) return "-";
  return explain::format_duration(totals.lifetime_ns / static_cast<double>(totals.freed.blocks));
}

/// Whether it is known which of the blocks that were never freed are lost.
bool is_searched(const HeapProfile& profile) {
  return profile.leak_scan.state == model::LeakScan::State::kDone;
}

std::vector<std::string> titles_of(Measure measure, bool is_searched) {
  switch (measure) {
    case Measure::kPeak:
      return {"bytes", "share", "blocks"};
    case Measure::kLeaked:
      return is_searched ? std::vector<std::string>{"bytes", "share", "blocks", "lost"}
                         : std::vector<std::string>{"bytes", "share", "blocks"};
    case Measure::kAllocated:
      return {"bytes", "share", "calls"};
    case Measure::kCalls:
      return {"calls", "share", "each"};
    case Measure::kTemporary:
      return {"blocks", "of all", "each"};
    case Measure::kLifetime:
      return {"held", "freed after", "live"};
  }
  return {};
}

std::vector<std::string> leak_figures(const HeapProfile& profile, const BlockTotals& totals) {
  const model::Amount leaked = totals.leaked();
  std::vector<std::string> figures = {report_bytes(leaked.bytes),
                                      share(leaked.bytes, profile.totals.live.bytes),
                                      format_count(leaked.blocks)};
  if (is_searched(profile)) figures.push_back(report_bytes(totals.unreachable().bytes));
  return figures;
}

std::vector<std::string> figures_of(const HeapProfile& profile, const model::StackProfile& stack,
                                    Measure measure) {
  const BlockTotals& mine = stack.totals;
  const BlockTotals& all = profile.totals;
  switch (measure) {
    case Measure::kPeak:
      return {report_bytes(mine.peak.bytes), share(mine.peak.bytes, all.peak.bytes),
              format_count(mine.peak.blocks)};
    case Measure::kLeaked:
      return leak_figures(profile, mine);
    case Measure::kAllocated:
      return {report_bytes(mine.allocated.bytes), share(mine.allocated.bytes, all.allocated.bytes),
              format_count(mine.allocated.blocks)};
    case Measure::kCalls:
      return {format_count(mine.allocated.blocks),
              share(mine.allocated.blocks, all.allocated.blocks), mean_bytes(mine.allocated)};
    case Measure::kTemporary:
      return {format_count(mine.temporary.blocks),
              share(mine.temporary.blocks, all.allocated.blocks), mean_bytes(mine.temporary)};
    case Measure::kLifetime:
      return {byte_time(stack.held_byte_ns), mean_lifetime(mine), report_bytes(mine.live.bytes)};
  }
  return {};
}

struct StackRow {
  std::uint32_t node = 0;
  std::vector<std::string> figures;
};

PlaceTable stack_table(const HeapProfile& profile, const ReportOptions& options,
                       std::vector<std::string> titles, std::vector<StackRow> rows) {
  std::vector<explain::ProfileStackView> stacks;
  for (const StackRow& row : rows) stacks.push_back(explain::stack_view(profile, row.node));
  std::vector<StackText> texts = describe_stacks_exactly(stacks, options.depth.value_or(kCallers));
  PlaceTable table(std::move(titles));
  for (std::size_t i = 0; i < rows.size(); ++i) {
    table.add_row(std::move(rows[i].figures), std::move(texts[i].place),
                  std::move(texts[i].callers), std::move(texts[i].callees));
  }
  return table;
}

/// Whether there were any.
bool write_stacks(std::string& out, const HeapProfile& profile, const ReportOptions& options,
                  Measure measure) {
  const std::vector<std::size_t> order = explain::rank_stacks(profile, measure);
  if (order.empty()) return false;
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style,
                fmt::format("By {}", measure_title(measure, profile.ends_early())),
                shown_of(shown, order.size(), "stack"));
  std::vector<StackRow> rows;
  for (std::size_t i = 0; i < shown; ++i) {
    const model::StackProfile& one = profile.stacks[order[i]];
    rows.push_back({one.node, figures_of(profile, one, measure)});
  }
  stack_table(profile, options, titles_of(measure, is_searched(profile)), std::move(rows))
      .write(out, options.style);
  return true;
}

void write_sizes(std::string& out, const HeapProfile& profile, const TextStyle& style) {
  if (profile.sizes.empty()) return;
  write_heading(out, style, "By size", "as requested");
  std::uint64_t most = 0;
  for (const model::SizeProfile& size : profile.sizes) {
    most = std::max(most, size.totals.allocated.blocks);
  }
  TextTable table;
  table.add_column("size", Align::kRight);
  table.add_column("calls", Align::kRight);
  table.add_column("bytes", Align::kRight);
  table.add_column("at the peak", Align::kRight);
  table.add_column("", Align::kLeft);
  for (const model::SizeProfile& size : profile.sizes) {
    table.add_row({explain::describe_size(size),
                   format_count(size.totals.allocated.blocks),
                   report_bytes(size.totals.allocated.bytes),
                   report_bytes(size.totals.peak.bytes),
                   {bar(size.totals.allocated.blocks, most, kBarColumns, style), Ink::kDim}});
  }
  table.write(out, style);
}

void write_lifetimes(std::string& out, const HeapProfile& profile, const TextStyle& style) {
  if (profile.lifetimes.empty()) return;
  write_heading(out, style, "Lifetimes", "of freed blocks");
  std::uint64_t most = 0;
  for (const model::LifetimeProfile& one : profile.lifetimes)
    most = std::max(most, one.freed.blocks);
  TextTable table;
  table.add_column("freed in", Align::kRight);
  table.add_column("blocks", Align::kRight);
  table.add_column("share", Align::kRight);
  table.add_column("bytes", Align::kRight);
  table.add_column("", Align::kLeft);
  for (const model::LifetimeProfile& one : profile.lifetimes) {
    // Events of one reading of the clock have the same time.
    table.add_row(
        {one.most_ns == 0 ? "at once" : report_time(std::min(one.most_ns, profile.duration_ns)),
         format_count(one.freed.blocks),
         share(one.freed.blocks, profile.totals.freed.blocks),
         report_bytes(one.freed.bytes),
         {bar(one.freed.blocks, most, kBarColumns, style), Ink::kDim}});
  }
  table.write(out, style);
}

void write_mappings(std::string& out, const HeapProfile& profile, const ReportOptions& options) {
  if (profile.mappings.empty()) return;
  std::vector<const model::MappingProfile*> order;
  for (const model::MappingProfile& mapping : profile.mappings) order.push_back(&mapping);
  std::ranges::stable_sort(order, std::greater(), &model::MappingProfile::most_live_bytes);
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style, "Asked of the kernel itself, not of malloc",
                shown_of(shown, order.size(), "stack"));
  std::vector<StackRow> rows;
  for (const model::MappingProfile* const one : std::span(order).first(shown)) {
    rows.push_back({one->node,
                    {report_bytes(one->most_live_bytes), report_bytes(one->live_bytes),
                     format_count(one->calls)}});
  }
  const char* const then = profile.ends_early() ? "then" : "at the end";
  stack_table(profile, options, {"at most", then, "calls"}, std::move(rows))
      .write(out, options.style);
}

/// The classes that cost the most at the peak.
void write_usable(std::string& out, const HeapProfile& profile, const ReportOptions& options) {
  std::vector<model::UsableProfile> order = profile.usable.classes;
  std::erase_if(order, [](const model::UsableProfile& one) { return one.peak.blocks == 0; });
  if (order.empty()) return;
  std::ranges::stable_sort(order, std::greater(), &model::UsableProfile::peak_overhead_bytes);
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style, "Requested against usable, at the peak",
                shown_of(shown, order.size(), "size"));
  TextTable table;
  for (const char* const title : {"usable", "blocks", "requested", "given", "not asked for"}) {
    table.add_column(title, Align::kRight);
  }
  for (std::size_t i = 0; i < shown; ++i) {
    const model::UsableProfile& one = order[i];
    const bool is_range = one.least_usable_bytes != one.most_usable_bytes;
    table.add_row({(is_range ? "from " : "") + report_bytes(one.least_usable_bytes),
                   format_count(one.peak.blocks), report_bytes(one.peak.bytes),
                   report_bytes(one.peak_usable_bytes),
                   fmt::format("{}, {}", report_bytes(one.peak_overhead_bytes()),
                               share(one.peak_overhead_bytes(), one.peak_usable_bytes))});
  }
  table.write(out, options.style);
}

/// The stacks whose blocks the allocator rounds up the most.
void write_overallocated(std::string& out, const HeapProfile& profile,
                         const ReportOptions& options) {
  const std::vector<model::StackUsable> order = explain::rounded_stacks(profile);
  if (order.empty()) return;
  const model::UsableProfile& totals = profile.usable.totals;
  const std::uint64_t all = totals.peak_overhead_bytes();
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style, "By overallocated bytes, at the peak",
                shown_of(shown, order.size(), "stack"));
  std::uint64_t of_others = all;
  for (const model::StackUsable& one : order)
    of_others -= std::min(of_others, one.peak_overhead_bytes());
  std::vector<StackRow> rows;
  for (const model::StackUsable& one : std::span(order).first(shown)) {
    const model::Amount given{.blocks = one.peak.blocks, .bytes = one.peak_usable_bytes};
    rows.push_back({one.node,
                    {report_bytes(one.peak_overhead_bytes()), share(one.peak_overhead_bytes(), all),
                     mean_bytes(one.peak), mean_bytes(given)}});
  }
  PlaceTable table =
      stack_table(profile, options, {"bytes", "share", "each", "given"}, std::move(rows));
  if (of_others != 0) {
    table.add_row({report_bytes(of_others), share(of_others, all), "", ""},
                  "stacks with small blocks of several sizes", {});
  }
  table.write(out, options.style);
}

void write_untouched(std::string& out, const HeapProfile& profile, const ReportOptions& options) {
  const std::vector<explain::UntouchedStack> order = explain::untouched_stacks(profile);
  if (order.empty()) return;
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style, "By never-touched bytes, at the peak",
                shown_of(shown, order.size(), "stack"));
  std::vector<StackRow> rows;
  for (const explain::UntouchedStack& one : std::span(order).first(shown)) {
    rows.push_back({one.node,
                    {report_bytes(one.untouched_bytes()),
                     share(one.untouched_bytes(), one.peak.bytes), format_count(one.peak.blocks)}});
  }
  stack_table(profile, options, {"bytes", "of live", "blocks"}, std::move(rows))
      .write(out, options.style);
}

void write_touches(std::string& out, const HeapProfile& profile, const ReportOptions& options,
                   std::vector<model::TouchProfile> order, std::string_view title) {
  if (order.empty()) return;
  std::ranges::stable_sort(order, std::greater(),
                           [](const model::TouchProfile& one) { return one.touched.bytes; });
  std::uint64_t all = 0;
  for (const model::TouchProfile& one : order) all += one.touched.bytes;
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style, title, shown_of(shown, order.size(), "stack"));
  std::vector<StackRow> rows;
  for (const model::TouchProfile& one : std::span(order).first(shown)) {
    rows.push_back({one.node,
                    {report_bytes(one.touched.bytes), share(one.touched.bytes, all),
                     format_count(one.touched.blocks)}});
  }
  stack_table(profile, options, {"bytes", "share", "pages"}, std::move(rows))
      .write(out, options.style);
}

void write_inherited(std::string& out, const HeapProfile& profile, const ReportOptions& options) {
  std::vector<const model::InheritedProfile*> order;
  for (const model::InheritedProfile& stack : profile.inheritance.stacks) order.push_back(&stack);
  if (order.empty()) return;
  std::ranges::stable_sort(order, std::greater(), [](const model::InheritedProfile* stack) {
    return stack->at_fork.bytes;
  });
  const std::size_t shown = std::min(order.size(), options.top);
  write_heading(out, options.style,
                fmt::format("Inherited from process {}", profile.inheritance.parent_pid),
                shown_of(shown, order.size(), "stack"));
  std::vector<StackRow> rows;
  for (const model::InheritedProfile* const one : std::span(order).first(shown)) {
    rows.push_back({one->node,
                    {report_bytes(one->at_fork.bytes), format_count(one->at_fork.blocks),
                     report_bytes(one->freed.bytes)}});
  }
  stack_table(profile, options, {"at the fork", "blocks", "freed since"}, std::move(rows))
      .write(out, options.style);
}

std::vector<std::string> totals_figures(const HeapProfile& profile, const BlockTotals& totals) {
  return {format_count(totals.allocated.blocks), report_bytes(totals.allocated.bytes),
          report_bytes(totals.peak.bytes), report_bytes(totals.leaked().bytes),
          explain::is_known(profile, Measure::kTemporary)
              ? share(totals.temporary.blocks, totals.allocated.blocks)
              : "-"};
}

/// The name comes last: it may be long, and takes as many lines as it needs.
void write_groups(std::string& out, const HeapProfile& profile, const TextStyle& style,
                  const std::vector<explain::Group>& groups, std::size_t top,
                  const BlockTotals& all, std::string_view what) {
  PlaceTable table({"calls", "allocated", "peak",
                    profile.ends_early() ? "not freed" : "never freed", "temporary"},
                   std::string(what));
  for (std::size_t i = 0; i < std::min(groups.size(), top); ++i) {
    table.add_row(totals_figures(profile, groups[i].totals), groups[i].name, {});
  }
  table.add_row(totals_figures(profile, all),
                groups.size() > top ? fmt::format("all {}", counted(groups.size(), what)) : "all",
                {});
  table.write(out, style);
}

}  // namespace

void write_report_groups(std::string& out, const HeapProfile& profile, const ReportOptions& options,
                         explain::Grouping grouping) {
  const bool of_stacks =
      grouping != explain::Grouping::kThread && grouping != explain::Grouping::kSize;
  BlockTotals all = of_stacks ? explain::sum_of_stacks(profile) : profile.totals;
  if (!of_stacks) all.suppressed = {};  // nor is it known of a thread or a size
  const Measure measure = options.measure.value_or(Measure::kPeak);
  const auto groups = explain::group_blocks(profile, grouping, measure);
  write_heading(out, options.style, fmt::format("By {}", explain::grouping_name(grouping)),
                grouping == explain::Grouping::kSize
                    ? "as requested"
                    : fmt::format("sorted by {}", measure_title(measure, profile.ends_early())));
  write_groups(out, profile, options.style, groups,
               grouping == explain::Grouping::kSize ? groups.size() : options.top, all,
               explain::grouping_name(grouping));
}

void write_report_emptiness(std::string& out, const HeapProfile& profile, Measure measure,
                            const TextStyle& style) {
  std::string why(why_nothing(profile, measure));
  why.front() = static_cast<char>(std::toupper(why.front()));
  Flow(out, style, 2).column(2).put(why + '.').end_line();
}

void write_report_tables(std::string& out, const HeapProfile& profile,
                         const ReportOptions& options) {
  if (options.measure) {
    if (write_stacks(out, profile, options, *options.measure)) return;
    write_heading(out, options.style,
                  fmt::format("By {}", measure_title(*options.measure, profile.ends_early())), "");
    return write_report_emptiness(out, profile, *options.measure, options.style);
  }
  for (int i = 0; i < explain::kMeasureCount; ++i) {
    write_stacks(out, profile, options, static_cast<Measure>(i));
  }
  if (!options.focus.empty()) return;  // what follows is of the whole program
  write_sizes(out, profile, options.style);
  write_usable(out, profile, options);
  write_overallocated(out, profile, options);
  write_untouched(out, profile, options);
  write_touches(out, profile, options, profile.first_touch.owners,
                "First touched, by who asked for the memory");
  write_touches(out, profile, options, profile.first_touch.touchers,
                "First touched, by the code that did it");
  write_lifetimes(out, profile, options.style);
  write_mappings(out, profile, options);
  write_inherited(out, profile, options);
  if (profile.totals.allocated.blocks == 0) return;
  write_report_groups(out, profile, options, explain::Grouping::kThread);
}

}  // namespace mini::views
