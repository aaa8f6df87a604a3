// The stacks of a list that is to be of a sane length: those that matter, each by itself, and of
// the many others one entry for each way from the allocator to a place in the program. Nothing is
// left out, unless the limits say so: the entries add up to all stacks.
#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <vector>

#include "explain/profile_ranking.h"
#include "model/heap_profile.h"

namespace mini::explain {

/// An entry: a StackProfile, or another kind of what is known of a stack.
template <typename Stack>
struct Listed {
  Stack stack;  // of merged ones their sum, with the node of any of them
  /// 0: a stack by itself. Else how many stacks have the same frames up to their place, and those
  /// frames alone are common to all.
  std::size_t merged_stacks = 0;
};

/// What is listed by itself: the first so many, and what has such a part of any figure that the
/// list is about.
struct ListLimits {
  std::size_t first = 1000;
  double share = 0.001;
  bool rest_is_left_out = false;  // only the first are listed
};

/// The first `top` and no more; without it, ListLimits as they are.
ListLimits list_limits(std::optional<std::size_t> top);

constexpr bool has_share(std::uint64_t part, std::uint64_t whole, double share) {
  return part != 0 && static_cast<double>(part) >= share * static_cast<double>(whole);
}

/// `order` are positions in `stacks`, in the order of the list; merged entries stand where the
/// first of theirs would. Of one of the stacks, `matters` says whether it is more than a light one,
/// and `way_of` by what it is merged; `add` adds another one to a sum.
template <typename Stack>
std::vector<Listed<Stack>> merge_light_stacks(std::span<const Stack> stacks,
                                              std::span<const std::size_t> order,
                                              const ListLimits& limits, const auto& matters,
                                              const auto& way_of, const auto& add) {
  std::vector<Listed<Stack>> list;
  std::map<decltype(way_of(stacks[0])), std::size_t> merged;  // positions in `list`
  for (std::size_t rank = 0; rank < order.size(); ++rank) {
    const Stack& stack = stacks[order[rank]];
    if (rank >= limits.first && limits.rest_is_left_out) break;
    if (rank < limits.first || matters(stack)) {
      list.push_back({.stack = stack});
      continue;
    }
    const auto [known, is_new] = merged.try_emplace(way_of(stack), list.size());
    if (is_new) {
      list.push_back({.stack = stack, .merged_stacks = 1});
    } else {
      ++list[known->second].merged_stacks;
      add(list[known->second].stack, stack);
    }
  }
  return list;
}

/// Those that have any block of the measure, the most first, as rank_stacks() has them. `measures`
/// are those by which a stack matters.
std::vector<Listed<model::StackProfile>> list_stacks(const model::HeapProfile& profile,
                                                     Measure measure,
                                                     std::span<const Measure> measures,
                                                     const ListLimits& limits = {});

/// The most mapped bytes first. What merged stacks had mapped at most is the sum of each one's
/// most: they need not have had it at the same time.
std::vector<Listed<model::MappingProfile>> list_mappings(const model::HeapProfile& profile,
                                                         const ListLimits& limits = {});

/// What was live at the fork, the most bytes first.
std::vector<Listed<model::InheritedProfile>> list_inherited(const model::HeapProfile& profile,
                                                            const ListLimits& limits = {});

/// Owners or touchers of the profile, the most bytes first.
std::vector<Listed<model::TouchProfile>> list_touches(const model::HeapProfile& profile,
                                                      std::span<const model::TouchProfile> touches,
                                                      const ListLimits& limits = {});

}  // namespace mini::explain
