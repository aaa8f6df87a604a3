// What a heap profile is about, in the order of a measure: stacks, and groups of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "explain/profile_frames.h"
#include "model/heap_profile.h"

namespace mini::explain {

enum class Measure : std::uint8_t {
  kPeak,       // bytes at the peak
  kLeaked,     // bytes never freed, without those that are suppressed
  kAllocated,  // bytes in all
  kCalls,      // allocations
  kTemporary,  // temporary allocations
  kLifetime,   // bytes times how long they were held
};
inline constexpr int kMeasureCount = 6;

/// "peak", "leaked", "allocated", "calls", "temporary", "lifetime": as options and JSON name it.
std::string_view measure_name(Measure measure);

/// Whether a profile says anything of a measure: a recording that samples does not have what a
/// thread allocated next, and that makes a block temporary.
bool is_known(const model::HeapProfile& profile, Measure measure);

/// What a measure says of some blocks; 0 for kLifetime, which only stacks have.
std::uint64_t measure_of(const model::BlockTotals& totals, Measure measure);
double measure_of(const model::StackProfile& stack, Measure measure);

/// Positions in profile.stacks, of those that have any block of the measure, the most first.
std::vector<std::size_t> rank_stacks(const model::HeapProfile& profile, Measure measure);

enum class Grouping : std::uint8_t { kFunction, kFile, kModule, kThread, kSize };
inline constexpr int kGroupingCount = 5;
std::string_view grouping_name(Grouping grouping);

struct Group {
  std::string name;
  model::BlockTotals totals;
};

/// By the place of each stack, by thread or by size; sizes in their own order, all else the most
/// first. The groups' totals add up to those of the stacks.
std::vector<Group> group_blocks(const model::HeapProfile& profile, Grouping grouping,
                                Measure measure);

/// "32 to 63 bytes".
std::string describe_size(const model::SizeProfile& size);
/// "worker (101)".
std::string describe_thread(const model::ThreadProfile& thread);

/// The group of a stack, which is that of its place. REQUIRES: grouping is kFunction, kFile or
/// kModule.
std::string group_name(const model::HeapProfile& profile, const model::StackProfile& stack,
                       Grouping grouping);
/// The same of a frame.
std::string group_name(const ProfileFrameView& frame, Grouping grouping);

/// How the stacks of a profile have to be divided to be told apart by a grouping.
model::StackDivision division_for(Grouping grouping);

/// Only the stacks with a frame whose function, file or module matches.
void keep_matching_stacks(model::HeapProfile& profile,
                          const std::function<bool(const std::string&)>& matches);

/// Divided stacks count once.
std::size_t count_stacks(const model::HeapProfile& profile);

/// The sum over stacks.
model::BlockTotals sum_of_stacks(const model::HeapProfile& profile);

}  // namespace mini::explain
