#include "explain/stack_list.h"

#include <algorithm>
#include <array>
#include <functional>
#include <numeric>
#include <utility>

#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

using model::BlockTotals;
using model::HeapProfile;
using model::InheritedProfile;
using model::MappingProfile;
using model::StackProfile;
using model::TouchProfile;

/// Whether a stack has such a part of any of the measures; of leaks, of those that are lost too.
bool matters(const BlockTotals& one, const BlockTotals& all, std::span<const Measure> measures,
             double share) {
  return std::ranges::any_of(measures, [&](Measure measure) {
    return has_share(measure_of(one, measure), measure_of(all, measure), share) ||
           (measure == Measure::kLeaked &&
            has_share(one.unreachable().bytes, all.unreachable().bytes, share));
  });
}

/// The frames from the allocator to the place of a stack.
using Way = std::vector<std::pair<const model::ProfileFrame*, const model::SourceLine*>>;

Way way_of(const HeapProfile& profile, std::uint32_t node) {
  Way way;
  for (const ProfileFrameView& frame : way_to_place(profile, node).frames) {
    way.emplace_back(frame.frame, frame.line);
  }
  return way;
}

/// Stacks of which nothing is known but figures, each of which adds up: all of them. `figures_of`
/// gives the figures' addresses; the most of the first one first.
template <typename Stack>
std::vector<Listed<Stack>> list_figures(const HeapProfile& profile, std::span<const Stack> stacks,
                                        const ListLimits& limits, const auto& figures_of) {
  std::vector<std::size_t> order(stacks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  const auto weight = [&](const Stack& stack) { return *figures_of(stack).front(); };
  std::ranges::stable_sort(order, std::greater<>(),
                           [&](std::size_t i) { return weight(stacks[i]); });
  const auto add = [&](Stack& sum, const Stack& stack) {
    const auto sums = figures_of(sum);
    const auto figures = figures_of(stack);
    for (std::size_t i = 0; i < sums.size(); ++i) *sums[i] += *figures[i];
  };
  Stack all;
  for (const Stack& stack : stacks) add(all, stack);
  const auto is_heavy = [&](const Stack& stack) {
    const auto parts = figures_of(stack);
    const auto wholes = figures_of(all);
    for (std::size_t i = 0; i < parts.size(); ++i) {
      if (has_share(*parts[i], *wholes[i], limits.share)) return true;
    }
    return false;
  };
  auto list = merge_light_stacks(
      stacks, order, limits, is_heavy,
      [&](const Stack& stack) { return way_of(profile, stack.node); }, add);
  std::ranges::stable_sort(list, std::greater<>(),
                           [&](const Listed<Stack>& one) { return weight(one.stack); });
  return list;
}

}  // namespace

ListLimits list_limits(std::optional<std::size_t> top) {
  return top ? ListLimits{.first = *top, .rest_is_left_out = true} : ListLimits{};
}

std::vector<Listed<StackProfile>> list_stacks(const HeapProfile& profile, Measure measure,
                                              std::span<const Measure> measures,
                                              const ListLimits& limits) {
  const BlockTotals all = sum_of_stacks(profile);
  auto list = merge_light_stacks(
      std::span<const StackProfile>(profile.stacks), rank_stacks(profile, measure), limits,
      [&](const StackProfile& stack) { return matters(stack.totals, all, measures, limits.share); },
      [&](const StackProfile& stack) { return way_of(profile, stack.node); },
      [](StackProfile& sum, const StackProfile& stack) { sum += stack; });
  std::ranges::stable_sort(list, std::greater<>(), [measure](const Listed<StackProfile>& one) {
    const bool is_leak = measure == Measure::kLeaked;
    return std::pair(is_leak ? one.stack.totals.unreachable().bytes : 0,
                     measure_of(one.stack, measure));
  });
  return list;
}

std::vector<Listed<MappingProfile>> list_mappings(const HeapProfile& profile,
                                                  const ListLimits& limits) {
  return list_figures<MappingProfile>(profile, profile.mappings, limits, [](auto& one) {
    return std::array{&one.mapped_bytes, &one.calls, &one.discarded_bytes, &one.live_bytes,
                      &one.most_live_bytes};
  });
}

std::vector<Listed<InheritedProfile>> list_inherited(const HeapProfile& profile,
                                                     const ListLimits& limits) {
  return list_figures<InheritedProfile>(profile, profile.inheritance.stacks, limits, [](auto& one) {
    return std::array{&one.at_fork.bytes, &one.at_fork.blocks, &one.freed.bytes, &one.freed.blocks};
  });
}

std::vector<Listed<TouchProfile>> list_touches(const HeapProfile& profile,
                                               std::span<const TouchProfile> touches,
                                               const ListLimits& limits) {
  return list_figures<TouchProfile>(profile, touches, limits, [](auto& one) {
    return std::array{&one.touched.bytes, &one.touched.blocks};
  });
}

}  // namespace mini::explain
