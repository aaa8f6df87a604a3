#include "explain/call_tree.h"

#include <algorithm>
#include <functional>
#include <unordered_map>
#include <utility>

#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

// A tree deeper than this is shown to nobody; recursion in the program would make it so.
constexpr std::size_t kDeepest = 256;

class TreeBuilder {
 public:
  TreeBuilder() { tree_.nodes.push_back({.label = "all", .amount = 0, .children = {}}); }

  void add(const std::vector<std::string>& path, std::uint64_t amount) {
    std::uint32_t at = 0;
    tree_.nodes[0].amount += amount;
    for (const std::string& label : path) {
      at = child(at, label);
      tree_.nodes[at].amount += amount;
    }
  }

  CallTree finish() {
    for (CallTreeNode& node : tree_.nodes) {
      std::ranges::stable_sort(node.children, std::greater<>(),
                               [this](std::uint32_t i) { return tree_.nodes[i].amount; });
    }
    return std::move(tree_);
  }

 private:
  std::uint32_t child(std::uint32_t parent, const std::string& label) {
    const auto number = labels_.try_emplace(label, labels_.size()).first->second;
    const auto key = (std::uint64_t{parent} << 32U) | number;
    const auto [found, is_new] =
        children_.try_emplace(key, static_cast<std::uint32_t>(tree_.nodes.size()));
    if (is_new) {
      tree_.nodes.push_back({.label = label, .amount = 0, .children = {}});
      tree_.nodes[parent].children.push_back(found->second);
    }
    return found->second;
  }

  CallTree tree_;
  std::unordered_map<std::string, std::uint64_t> labels_;
  std::unordered_map<std::uint64_t, std::uint32_t> children_;  // by parent and label
};

using Path = std::vector<std::string>;

/// Puts what a stack goes through into the path, in the tree's direction, up to where that is too
/// deep.
void add_frames(const ProfileStackView& stack, TreeDirection direction, std::optional<Grouping> by,
                Path& path) {
  if (stack.frames.empty()) path.emplace_back("no stack");
  const bool is_of_calls = !by || division_for(*by) != model::StackDivision::kNone;
  const bool is_inwards = direction == TreeDirection::kCallees;
  const std::size_t count = stack.frames.size() - (is_inwards ? 0 : stack.place);
  const std::size_t first = path.size();
  for (std::size_t i = 0; i < count && path.size() < kDeepest; ++i) {
    const ProfileFrameView& frame = stack.frames[is_inwards ? count - 1 - i : stack.place + i];
    std::string name = is_of_calls ? describe(frame) : group_name(frame, *by);
    const bool is_again = !is_of_calls && path.size() > first && path.back() == name;
    if (!is_again) path.push_back(std::move(name));
  }
}

std::string describe_part(const model::HeapProfile& profile, std::uint32_t part) {
  return profile.division == model::StackDivision::kThread ? describe_thread(profile.threads[part])
                                                           : describe_size(profile.sizes[part]);
}

}  // namespace

CallTree make_call_tree(const model::HeapProfile& profile, Measure measure, TreeDirection direction,
                        std::optional<Grouping> by) {
  TreeBuilder builder;
  for (const model::StackProfile& stack : profile.stacks) {
    const std::uint64_t amount = measure_of(stack.totals, measure);
    if (amount == 0) continue;
    Path path;
    if (profile.division != model::StackDivision::kNone) {
      path.push_back(describe_part(profile, stack.part));
    }
    add_frames(stack_view(profile, stack.node), direction, by, path);
    builder.add(path, amount);
  }
  return builder.finish();
}

}  // namespace mini::explain
