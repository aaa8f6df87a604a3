// The tree of a report: calls from the program's beginning inwards, or from places outwards.
#include <algorithm>
#include <cctype>
#include <cstdint>
#include <fmt/format.h>

#include "base/text.h"
#include "views/flow.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

using explain::CallTree;
using explain::CallTreeNode;

constexpr std::size_t kLevels = 32;
constexpr std::size_t kAmountColumns = 11;
constexpr std::size_t kTextColumn = kAmountColumns + 2 + 6 + 2;
constexpr double kLeastShare = 0.005;

class TreeWriter {
 public:
  TreeWriter(std::string& out, const CallTree& tree, const ReportOptions& options,
             explain::Measure measure)
      : out_(out),
        tree_(tree),
        options_(options),
        measure_(measure),
        levels_(options.depth.value_or(kLevels)),
        most_indent_((std::max(options.style.width / 2, kTextColumn) - kTextColumn) / 2) {}

  void write() {
    write_branches(tree_.nodes.front(), 0, 0);
    if (!has_deeper_) return;
    Flow(out_, options_.style, kTextColumn)
        .column(kTextColumn)
        .put(Ink::kDim, "(+1: one level further in than it is drawn)")
        .end_line();
  }

 private:
  /// Not worth a line, unless nothing is to be left out.
  bool is_slight(const CallTreeNode& node) const {
    const double least = kLeastShare * static_cast<double>(tree_.nodes.front().amount);
    return options_.top != SIZE_MAX && static_cast<double>(node.amount) < least;
  }

  void write_line(std::uint64_t amount, const std::string& text, std::size_t indent, Ink ink) {
    const std::string figure = measure_amount(measure_, amount);
    const std::string share = format_percent(static_cast<double>(amount),
                                             static_cast<double>(tree_.nodes.front().amount));
    const std::size_t column = kTextColumn + 2 * std::min(indent, most_indent_);
    Flow flow(out_, options_.style, column + 2);
    flow.column(kAmountColumns - std::min(figure.size(), kAmountColumns))
        .piece(Ink::kPlain, figure);
    flow.column(kAmountColumns + 2 + 6 - share.size()).piece(Ink::kDim, share);
    flow.column(column);
    has_deeper_ = has_deeper_ || indent > most_indent_;
    if (indent > most_indent_) flow.put(Ink::kDim, fmt::format("+{} ", indent - most_indent_));
    flow.piece(ink, text).end_line();
  }

  /// REQUIRES of the recursion: levels_ is bounded.
  void write_branches(const CallTreeNode& node, std::size_t indent, std::size_t level) {
    if (node.children.empty()) return;
    std::uint64_t rest = 0;
    std::size_t rest_count = 0;
    for (std::size_t i = 0; i < node.children.size(); ++i) {
      const CallTreeNode& child = tree_.nodes[node.children[i]];
      if (level >= levels_ || i >= options_.top || (i > 0 && is_slight(child))) {
        rest += child.amount;
        ++rest_count;
        continue;
      }
      write_line(child.amount, child.label, indent, Ink::kPlain);
      // Of a call that leads nowhere else, and has no neighbours, the next is on the same level.
      const bool goes_straight_on = node.children.size() == 1 && child.children.size() == 1 &&
                                    tree_.nodes[child.children.front()].amount == child.amount;
      write_branches(child, goes_straight_on ? indent : indent + 1, level + 1);
    }
    if (rest_count != 0) {
      write_line(rest, fmt::format("... {} more", format_count(rest_count)), indent, Ink::kDim);
    }
  }

  std::string& out_;
  const CallTree& tree_;
  const ReportOptions& options_;
  explain::Measure measure_;
  std::size_t levels_;
  std::size_t most_indent_;  // what is further in says by how much
  bool has_deeper_ = false;
};

/// "Callees", "Modules and their callers", "Callees in each thread".
std::string title_of(explain::TreeDirection direction, std::optional<explain::Grouping> by) {
  const bool is_inwards = direction == explain::TreeDirection::kCallees;
  if (!by) return is_inwards ? "Callees" : "Callers";
  if (explain::division_for(*by) != model::StackDivision::kNone) {
    return fmt::format("{} {}", is_inwards ? "Callees" : "Callers",
                       *by == explain::Grouping::kThread ? "in each thread" : "of each size");
  }
  std::string title = fmt::format("{}s and their {}", explain::grouping_name(*by),
                                  is_inwards ? "callees" : "callers");
  title.front() = static_cast<char>(std::toupper(title.front()));
  return title;
}

}  // namespace

void write_report_tree(std::string& out, const model::HeapProfile& profile,
                       const ReportOptions& options, explain::TreeDirection direction) {
  const auto measure = options.measure.value_or(explain::Measure::kPeak);
  const CallTree tree = explain::make_call_tree(profile, measure, direction, options.by);
  write_heading(out, options.style,
                fmt::format("{} by {}", title_of(direction, options.by),
                            measure_title(measure, profile.ends_early())),
                measure_amount(measure, tree.nodes.front().amount));
  if (tree.nodes.front().amount == 0) {
    write_report_emptiness(out, profile, measure, options.style);
    return;
  }
  TreeWriter(out, tree, options, measure).write();
}

}  // namespace mini::views
