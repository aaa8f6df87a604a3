// A heap profile for the terminal: summary, timeline, findings, tables of stacks, or a tree.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <string>

#include "explain/call_tree.h"
#include "explain/heap_findings.h"
#include "explain/profile_ranking.h"
#include "model/heap_profile.h"
#include "views/text_style.h"

namespace mini::views {

struct ReportOptions {
  TextStyle style;
  std::size_t top = 10;              // rows of each table, branches of each level of a tree
  std::optional<std::size_t> depth;  // callers under each place; levels of a tree
  /// Sums, a tree, or a tree by that, instead of the tables; neither shows all tables. A tree by
  /// threads or sizes needs a profile that is divided by these.
  std::optional<explain::Grouping> by;
  std::optional<explain::TreeDirection> tree;
  /// Of `by` and `tree`, the peak by default; without them, the one table that is shown.
  std::optional<explain::Measure> measure;
  std::string focus;  // what profile.stacks were chosen by; "" for all
};

void write_report(std::string& out, const model::HeapProfile& profile,
                  std::span<const explain::Finding> findings, const ReportOptions& options);

// The parts of it, in the order in which they are shown.
void write_report_summary(std::string& out, const model::HeapProfile& profile,
                          const TextStyle& style);
/// What is missing in it; nothing where nothing is.
void write_report_losses(std::string& out, const model::HeapProfile& profile,
                         const TextStyle& style);
/// The moments that the program named, in their order.
void write_report_markers(std::string& out, const model::HeapProfile& profile,
                          const TextStyle& style, std::size_t most);
void write_report_timeline(std::string& out, const model::HeapProfile& profile,
                           const TextStyle& style);
void write_report_findings(std::string& out, std::span<const explain::Finding> findings,
                           const TextStyle& style);
void write_report_tables(std::string& out, const model::HeapProfile& profile,
                         const ReportOptions& options);
/// Why there is nothing of a measure.
void write_report_emptiness(std::string& out, const model::HeapProfile& profile,
                            explain::Measure measure, const TextStyle& style);
void write_report_groups(std::string& out, const model::HeapProfile& profile,
                         const ReportOptions& options, explain::Grouping grouping);
void write_report_tree(std::string& out, const model::HeapProfile& profile,
                       const ReportOptions& options, explain::TreeDirection direction);

}  // namespace mini::views
