#include "explain/profile_diff.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <functional>
#include <map>
#include <numeric>
#include <set>
#include <utility>

#include "base/text.h"
#include "explain/profile_frames.h"

namespace mini::explain {
namespace {

using model::BlockTotals;
using model::HeapProfile;

// Of a frame with more functions inlined, the innermost ones count.
constexpr std::size_t kMostLines = 64;

// What GCC and Clang append to the name of a function that they made several of.
constexpr std::array<std::string_view, 7> kCloneSuffixes = {
    ".constprop.", ".isra.", ".part.", ".cold", ".lto_priv.", ".llvm.", ".localalias"};

/// A name that a frame of another build has too; a zero separates what no name contains.
std::string frame_key(const HeapProfile& profile, const model::ProfileFrame& frame,
                      const model::SourceLine* line) {
  const std::string& path = profile.modules[frame.module].path;
  const bool is_own = !path.empty() && path == profile.process.executable;
  std::string key(is_own ? "." : path_basename(path));
  key += '\0';
  if (line != nullptr && !line->function.empty())
    return key.append(without_clone_suffix(line->function));
  // Code made at run time is anywhere.
  return path.empty() ? key : fmt::format("{}+{:#x}", key, frame.address);
}

/// Gives the stacks of both profiles numbers, the same to those with the same names.
class StackMatcher {
 public:
  /// For each of the profile's nodes.
  std::vector<std::uint32_t> match(const HeapProfile& profile) {
    std::vector<std::vector<std::uint32_t>> frames;  // as numbers of names, innermost first
    frames.reserve(profile.frames.size());
    for (const model::ProfileFrame& frame : profile.frames)
      frames.push_back(names_of(profile, frame));
    std::vector<std::uint32_t> matched(profile.nodes.size(), 0);
    for (std::size_t i = 1; i < profile.nodes.size(); ++i) {
      std::uint32_t stack = matched[profile.nodes[i].caller];
      const std::vector<std::uint32_t>& names = frames[profile.nodes[i].frame];
      for (std::size_t name = names.size(); name-- > 0;) stack = callee(stack, names[name]);
      matched[i] = stack;
    }
    return matched;
  }
  std::size_t count() const { return stacks_.size() + 1; }  // with the empty one, 0

 private:
  std::vector<std::uint32_t> names_of(const HeapProfile& profile,
                                      const model::ProfileFrame& frame) {
    if (frame.lines.empty()) return {name(frame_key(profile, frame, nullptr))};
    std::vector<std::uint32_t> names;
    for (const model::SourceLine& line : frame.lines) {
      if (names.size() == kMostLines) break;
      names.push_back(name(frame_key(profile, frame, &line)));
    }
    return names;
  }
  std::uint32_t name(std::string key) {
    return names_.try_emplace(std::move(key), static_cast<std::uint32_t>(names_.size()))
        .first->second;
  }
  std::uint32_t callee(std::uint32_t caller, std::uint32_t name) {
    const auto number = static_cast<std::uint32_t>(stacks_.size() + 1);
    return stacks_.try_emplace({caller, name}, number).first->second;
  }

  std::map<std::string, std::uint32_t> names_;
  std::map<std::pair<std::uint32_t, std::uint32_t>, std::uint32_t> stacks_;
};

void sort_by_difference(auto& list, const auto& difference_of) {
  std::ranges::stable_sort(list, std::greater<>(),
                           [&](const auto& one) { return difference_of(one).amount; });
}

/// The same for stacks with the same names from the allocator to the place, in either build.
std::string way_of(const ProfileDiff& diff, const StackDiff& stack) {
  const LatestStack shown = latest(diff, stack);
  std::string way;
  for (const ProfileFrameView& frame : way_to_place(*shown.profile, shown.node).frames) {
    way.append(frame_key(*shown.profile, *frame.frame, frame.line)) += '\0';
  }
  return way;
}

void add_stack(StackDiff& sum, const StackDiff& stack) {
  sum.before += stack.before;
  sum.after += stack.after;
  if (!sum.is_before) sum.before_node = stack.before_node;
  if (!sum.is_after) sum.after_node = stack.after_node;
  sum.is_before |= stack.is_before;
  sum.is_after |= stack.is_after;
}

/// What stacks are weighed by: all of before and after, and all that changed of each measure.
struct DiffSums {
  BeforeAndAfter totals;
  std::array<std::uint64_t, kMeasureCount> changes{};
};

DiffSums sums_of(const ProfileDiff& diff, std::span<const Measure> measures) {
  DiffSums sums;
  for (const StackDiff& stack : diff.stacks) {
    sums.totals.before += stack.before;
    sums.totals.after += stack.after;
    for (const Measure measure : measures) {
      sums.changes[static_cast<std::size_t>(measure)] += difference(stack, measure).amount;
    }
  }
  return sums;
}

bool matters(const StackDiff& stack, const DiffSums& all, std::span<const Measure> measures,
             double share) {
  return std::ranges::any_of(measures, [&](Measure measure) {
    return has_share(measure_of(stack.before, measure), measure_of(all.totals.before, measure),
                     share) ||
           has_share(measure_of(stack.after, measure), measure_of(all.totals.after, measure),
                     share) ||
           has_share(difference(stack, measure).amount,
                     all.changes[static_cast<std::size_t>(measure)], share);
  });
}

/// The same group in both builds has the same key.
using GroupKey = std::function<std::string(const HeapProfile&, const model::StackProfile&)>;
using GroupName = std::function<std::string(const HeapProfile&, const model::StackProfile&)>;

std::vector<GroupDiff> sum_groups(const ProfileDiff& diff, const GroupKey& key_of,
                                  const GroupName& name_of) {
  std::map<std::string, GroupDiff> groups;
  for (const model::StackProfile& stack : diff.before->stacks) {
    GroupDiff& group = groups[key_of(*diff.before, stack)];
    group.before += stack.totals;
    if (group.name.empty()) group.name = name_of(*diff.before, stack);
  }
  std::map<std::string, bool> has_later_name;
  for (const model::StackProfile& stack : diff.after->stacks) {
    const std::string key = key_of(*diff.after, stack);
    GroupDiff& group = groups[key];
    group.after += stack.totals;
    if (!std::exchange(has_later_name[key], true)) group.name = name_of(*diff.after, stack);
  }
  std::vector<GroupDiff> list;
  for (auto& [key, group] : groups) list.push_back(std::move(group));
  return list;
}

/// Files of the two builds that have the same base name, where no other in either build has it, are
/// one.
void join_moved_files(std::vector<GroupDiff>& groups) {
  const auto is_before = [](const GroupDiff& group) { return group.before.allocated.blocks != 0; };
  const auto is_after = [](const GroupDiff& group) { return group.after.allocated.blocks != 0; };
  std::map<std::string, std::vector<std::size_t>> by_base_name;
  for (std::size_t i = 0; i < groups.size(); ++i) {
    by_base_name[std::string(path_basename(groups[i].name))].push_back(i);
  }
  std::vector<bool> is_gone(groups.size(), false);
  for (const auto& [name, same] : by_base_name) {
    if (same.size() != 2) continue;
    const bool in_order = is_before(groups[same[0]]) && !is_after(groups[same[0]]);
    const std::size_t old = in_order ? same[0] : same[1];
    const std::size_t now = in_order ? same[1] : same[0];
    if (is_after(groups[old]) || is_before(groups[now])) continue;
    groups[now].before = groups[old].before;
    is_gone[old] = true;
  }
  std::size_t i = 0;
  std::erase_if(groups, [&](const GroupDiff&) { return is_gone[i++]; });
}

}  // namespace

std::string_view without_clone_suffix(std::string_view function) {
  function = function.substr(0, function.find(" [clone "));
  if (function.contains('(')) return function;  // of C++: what follows a dot may be anything
  for (const std::string_view suffix : kCloneSuffixes) {
    const std::size_t at = function.find(suffix);
    if (at != 0) function = function.substr(0, at);
  }
  return function;
}

Difference difference(const BeforeAndAfter& both, Measure measure) {
  const std::uint64_t before = measure_of(both.before, measure);
  const std::uint64_t after = measure_of(both.after, measure);
  return {.is_growth = after > before, .amount = after > before ? after - before : before - after};
}

ProfileDiff diff_profiles(const HeapProfile& before, const HeapProfile& after) {
  ProfileDiff diff{.before = &before, .after = &after, .stacks = {}};
  StackMatcher matcher;
  const std::vector<std::uint32_t> of_before = matcher.match(before);
  const std::vector<std::uint32_t> of_after = matcher.match(after);
  std::vector<std::size_t> positions(matcher.count(), SIZE_MAX);  // in diff.stacks
  const auto stack_of = [&](std::uint32_t matched) -> StackDiff& {
    std::size_t& position = positions[matched];
    if (position == SIZE_MAX) {
      position = diff.stacks.size();
      diff.stacks.emplace_back();
    }
    return diff.stacks[position];
  };
  for (const model::StackProfile& stack : before.stacks) {
    StackDiff& both = stack_of(of_before[stack.node]);
    both.before += stack.totals;
    both.before_node = stack.node;
    both.is_before = true;
  }
  for (const model::StackProfile& stack : after.stacks) {
    StackDiff& both = stack_of(of_after[stack.node]);
    both.after += stack.totals;
    both.after_node = stack.node;
    both.is_after = true;
  }
  return diff;
}

bool is_known(const ProfileDiff& diff, Measure measure) {
  return is_known(*diff.before, measure) && is_known(*diff.after, measure);
}

BeforeAndAfter totals_of(const ProfileDiff& diff) {
  return {.before = diff.before->totals, .after = diff.after->totals};
}

std::vector<std::size_t> rank_differences(const ProfileDiff& diff, Measure measure, bool growths) {
  std::vector<std::size_t> order;
  for (std::size_t i = 0; i < diff.stacks.size(); ++i) {
    const Difference change = difference(diff.stacks[i], measure);
    if (change.amount != 0 && change.is_growth == growths) order.push_back(i);
  }
  sort_by_difference(order, [&](std::size_t i) { return difference(diff.stacks[i], measure); });
  return order;
}

LatestStack latest(const ProfileDiff& diff, const StackDiff& stack) {
  return stack.is_after ? LatestStack{.profile = diff.after, .node = stack.after_node}
                        : LatestStack{.profile = diff.before, .node = stack.before_node};
}

std::vector<Listed<StackDiff>> list_differences(const ProfileDiff& diff, Measure measure,
                                                std::span<const Measure> measures,
                                                const ListLimits& limits) {
  const auto change_of = [measure](const StackDiff& stack) { return difference(stack, measure); };
  std::vector<std::size_t> order(diff.stacks.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  sort_by_difference(order, [&](std::size_t i) { return change_of(diff.stacks[i]); });
  const DiffSums all = sums_of(diff, measures);
  auto list = merge_light_stacks(
      std::span<const StackDiff>(diff.stacks), order, limits,
      [&](const StackDiff& stack) { return matters(stack, all, measures, limits.share); },
      [&](const StackDiff& stack) { return way_of(diff, stack); }, add_stack);
  sort_by_difference(list, [&](const Listed<StackDiff>& one) { return change_of(one.stack); });
  return list;
}

std::vector<GroupDiff> diff_groups(const ProfileDiff& diff, Grouping grouping, Measure measure) {
  const auto name_of = [grouping](const HeapProfile& profile, const model::StackProfile& stack) {
    std::string name = group_name(profile, stack, grouping);
    return grouping == Grouping::kModule ? std::string(path_basename(name)) : name;
  };
  const auto key_of = [&](const HeapProfile& profile, const model::StackProfile& stack) {
    const std::string name = name_of(profile, stack);
    const bool is_own =
        grouping == Grouping::kModule && name == path_basename(profile.process.executable);
    return is_own ? std::string() : name;
  };
  std::vector<GroupDiff> groups = sum_groups(diff, key_of, name_of);
  if (grouping == Grouping::kFile) join_moved_files(groups);
  sort_by_difference(groups, [&](const GroupDiff& group) { return difference(group, measure); });
  return groups;
}

std::vector<GroupDiff> diff_places(const ProfileDiff& diff, Measure measure) {
  const auto key_of_place = [](const HeapProfile& profile, const auto& place) {
    return place ? frame_key(profile, *place->frame, place->line) : std::string();
  };
  const auto key_of = [&](const HeapProfile& profile, const model::StackProfile& stack) {
    return key_of_place(profile, place_of(profile, stack.node));
  };
  std::map<std::pair<const HeapProfile*, std::string>, std::set<std::uint32_t>> lines;
  for (const HeapProfile* profile : {diff.before, diff.after}) {
    for (const model::StackProfile& stack : profile->stacks) {
      const auto place = place_of(*profile, stack.node);
      const std::uint32_t line = place && place->line != nullptr ? place->line->line : 0;
      lines[{profile, key_of_place(*profile, place)}].insert(line);
    }
  }
  const auto name_of = [&](const HeapProfile& profile, const model::StackProfile& stack) {
    const auto place = place_of(profile, stack.node);
    const bool has_several = lines[{&profile, key_of_place(profile, place)}].size() > 1;
    return place && has_several ? describe_without_line(*place) : describe_place(place);
  };
  std::vector<GroupDiff> places = sum_groups(diff, key_of, name_of);
  sort_by_difference(places, [&](const GroupDiff& place) { return difference(place, measure); });
  return places;
}

}  // namespace mini::explain
