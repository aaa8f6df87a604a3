#include "views/report_view.h"

#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/report_text.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

using model::HeapProfile;

/// What the tables after it are of.
void write_focus(std::string& out, const HeapProfile& profile, const ReportOptions& options) {
  out += '\n';
  Flow flow(out, options.style, 4);
  flow.column(2);
  if (profile.stacks.empty()) {
    flow.put(
        fmt::format("No stack matches '{}': there is nothing more to show. Without --focus, "
                    "--by function, --by file and --by module show what names there are.",
                    options.focus));
  } else {
    const model::BlockTotals sum = explain::sum_of_stacks(profile);
    flow.put(
        fmt::format("From here on only stacks that match '{}': {}, {} of the peak, {} of all "
                    "calls.",
                    options.focus, counted(explain::count_stacks(profile), "stack"),
                    share_of(sum.peak.bytes, profile.totals.peak.bytes),
                    share_of(sum.allocated.blocks, profile.totals.allocated.blocks)));
  }
  flow.end_line();
}

}  // namespace

void write_report_findings(std::string& out, std::span<const explain::Finding> findings,
                           const TextStyle& style) {
  write_heading(out, style, "Findings", findings.empty() ? "none" : "the most important first");
  if (findings.empty()) {
    Flow(out, style, 2).column(2).put("Nothing stands out.").end_line();
  }
  std::size_t number = 0;
  for (const explain::Finding& finding : findings) {
    const std::string label = fmt::format("{}.", ++number);
    Flow flow(out, style, 5);
    flow.column(label.size() < 3 ? 2 : 1).put(label).column(5).put(Ink::kStrong, finding.statement);
    flow.end_line();
    Flow(out, style, 5).column(5).put(finding.evidence).put(" ").put(finding.advice).end_line();
  }
}

void write_report(std::string& out, const HeapProfile& profile,
                  std::span<const explain::Finding> findings, const ReportOptions& options) {
  write_report_summary(out, profile, options.style);
  if (!options.by && !options.tree) {
    write_report_timeline(out, profile, options.style);
    write_report_markers(out, profile, options.style, options.top);
    write_report_findings(out, findings, options.style);
  }
  if (!options.focus.empty()) {
    write_focus(out, profile, options);
    if (profile.stacks.empty()) return;
  }
  if (options.tree) {
    write_report_tree(out, profile, options, *options.tree);
  } else if (options.by) {
    write_report_groups(out, profile, options, *options.by);
  } else {
    write_report_tables(out, profile, options);
  }
}

}  // namespace mini::views
