#include "views/flame_boxes.h"

#include <algorithm>
#include <functional>
#include <unordered_map>

namespace mini::views {
namespace {

class FlameTree {
 public:
  FlameTree() { nodes_.emplace_back(); }

  void add(const std::vector<std::uint32_t>& path, std::uint64_t amount) {
    std::uint32_t at = 0;
    nodes_[0].amount += amount;
    for (const std::uint32_t function : path) {
      at = child(at, function);
      nodes_[at].amount += amount;
    }
  }

  /// The least amount of a box, such that there are not more than `most` of them.
  std::uint64_t least_amount(std::uint64_t least, std::size_t most) const {
    std::vector<std::uint64_t> amounts;
    for (const Node& node : nodes_) {
      if (node.amount >= least) amounts.push_back(node.amount);
    }
    if (amounts.size() <= most) return least;
    const auto last = amounts.begin() + static_cast<std::ptrdiff_t>(most);
    std::ranges::nth_element(amounts, last, std::greater<>());
    return *last + 1;  // all boxes of the first amount that does not fit are left out
  }

  FlameGraph lay_out(std::uint64_t least) {
    FlameGraph graph;
    // A box is put down before those that stand on it; the leftmost of them comes off the stack
    // first.
    std::vector<Placed> waiting{{.node = 0, .box = {.amount = nodes_[0].amount}}};
    while (!waiting.empty()) {
      const Placed at = waiting.back();
      waiting.pop_back();
      graph.boxes.push_back(at.box);
      graph.levels = std::max(graph.levels, at.box.level + 1);
      place_children(at, least, waiting);
    }
    return graph;
  }

 private:
  struct Node {
    std::uint32_t function = 0;
    std::uint64_t amount = 0;
    std::vector<std::uint32_t> children = {};
  };
  struct Placed {
    std::uint32_t node;
    FlameBox box = {};
  };

  std::uint32_t child(std::uint32_t parent, std::uint32_t function) {
    const auto key = (std::uint64_t{parent} << 32U) | function;
    const auto next = static_cast<std::uint32_t>(nodes_.size());
    const auto [at, is_new] = children_.try_emplace(key, next);
    if (is_new) {
      nodes_.push_back({.function = function});
      nodes_[parent].children.push_back(next);
    }
    return at->second;
  }

  void place_children(const Placed& parent, std::uint64_t least, std::vector<Placed>& waiting) {
    std::vector<std::uint32_t>& children = nodes_[parent.node].children;
    std::ranges::stable_sort(children, std::greater<>(),
                             [this](std::uint32_t i) { return nodes_[i].amount; });
    const auto first = static_cast<std::ptrdiff_t>(waiting.size());
    std::uint64_t begin = parent.box.begin;
    for (const std::uint32_t i : children) {
      const Node& node = nodes_[i];
      if (node.amount < least) break;
      waiting.push_back({.node = i,
                         .box = {.function = node.function,
                                 .level = parent.box.level + 1,
                                 .begin = begin,
                                 .amount = node.amount}});
      begin += node.amount;
    }
    std::reverse(waiting.begin() + first, waiting.end());
  }

  std::vector<Node> nodes_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  // by parent and function
};

}  // namespace

FlameGraph make_flame_graph(const model::HeapProfile& profile, explain::Measure measure,
                            FunctionTable& functions, const FlameLimits& limits) {
  FlameTree tree;
  std::uint64_t total = 0;
  for (const model::StackProfile& stack : profile.stacks) {
    const std::uint64_t amount = explain::measure_of(stack.totals, measure);
    if (amount == 0) continue;
    std::vector<std::uint32_t> path = functions_of_stack(functions, profile, stack.node);
    if (path.size() >= limits.most_levels) path.resize(limits.most_levels - 1);
    tree.add(path, amount);
    total += amount;
  }
  const auto least = static_cast<std::uint64_t>(static_cast<double>(total) * limits.least_part);
  return tree.lay_out(tree.least_amount(std::max<std::uint64_t>(least, 1), limits.most_boxes));
}

}  // namespace mini::views
