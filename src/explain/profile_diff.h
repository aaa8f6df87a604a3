// Two heap profiles beside each other: what each stack, or each place, had before and has after.
//
// Addresses and line numbers change with every build, so stacks are matched by names: two frames
// are the same where their functions (demangled, without what a compiler appends to a clone) and
// the base names of their modules are; where no function is known, by module and offset. The
// program's own file may have another name in each build. A function that one build inlines and the
// other does not is the same frame in both.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "explain/profile_ranking.h"
#include "explain/stack_list.h"
#include "model/heap_profile.h"

namespace mini::explain {

/// What grew or shrank, and by how much.
struct Difference {
  bool is_growth = false;    // false where nothing changed
  std::uint64_t amount = 0;  // of bytes or blocks

  friend constexpr bool operator==(Difference, Difference) = default;
};

struct BeforeAndAfter {
  model::BlockTotals before;
  model::BlockTotals after;
};

/// REQUIRES: measure != Measure::kLifetime.
Difference difference(const BeforeAndAfter& both, Measure measure);

/// A stack. It may stand for several of one recording that differ in lines alone.
struct StackDiff : BeforeAndAfter {
  std::uint32_t before_node = 0;  // one of them; 0: the stack is not in that recording, or empty
  std::uint32_t after_node = 0;
  bool is_before = false;  // whether the recording has it
  bool is_after = false;
};

struct GroupDiff : BeforeAndAfter {
  std::string name;
};

/// INVARIANT: the sums over `stacks` are those over the stacks of the two profiles.
struct ProfileDiff {
  const model::HeapProfile* before = nullptr;
  const model::HeapProfile* after = nullptr;
  std::vector<StackDiff> stacks;
};

/// A stack of the later recording that has it.
struct LatestStack {
  const model::HeapProfile* profile;
  std::uint32_t node;
};
LatestStack latest(const ProfileDiff& diff, const StackDiff& stack);

/// Refers to both profiles.
ProfileDiff diff_profiles(const model::HeapProfile& before, const model::HeapProfile& after);

/// Whether both profiles say anything of a measure.
bool is_known(const ProfileDiff& diff, Measure measure);

/// Of the whole programs.
BeforeAndAfter totals_of(const ProfileDiff& diff);

/// Positions in diff.stacks of those that grew, or those that shrank, the most first.
std::vector<std::size_t> rank_differences(const ProfileDiff& diff, Measure measure, bool growths);

/// All stacks, the largest difference of the measure first. One matters by any of `measures`: by
/// what it had before, by what it has after, or by its part of all differences. The others are
/// merged by the names of their frames up to the place.
std::vector<Listed<StackDiff>> list_differences(const ProfileDiff& diff, Measure measure,
                                                std::span<const Measure> measures,
                                                const ListLimits& limits = {});

/// By the function, file or module of each stack's place, the largest difference first. Files that
/// moved with the whole source tree are the same; modules go by their base names.
/// REQUIRES: grouping is one of these three.
std::vector<GroupDiff> diff_groups(const ProfileDiff& diff, Grouping grouping, Measure measure);

/// By place, each named as in a report, with the line of the later build: "parse at x.cc:88".
std::vector<GroupDiff> diff_places(const ProfileDiff& diff, Measure measure);

/// "foo(int)" of "foo(int) [clone .cold]", "foo" of "foo.constprop.0".
std::string_view without_clone_suffix(std::string_view function);

}  // namespace mini::explain
