// A recording made up of a few stacks and threads, for tests of the builder of heap profiles.
#pragma once

#include <cstdint>

#include "sources/heap_profile_builder.h"

namespace mini::sources {

inline constexpr recording::StackNumber kParse = 2;  // main, parse
inline constexpr recording::StackNumber kLoad = 3;   // main, load

/// Two stacks under main and two threads, defined as a recording defines them.
class Story {
 public:
  explicit Story(model::TimeSpan span = {}, model::StackDivision division = {})
      : builder(span, 512, division) {
    builder.module(1, {.path = "/bin/program", .build_id = "ab", .load_bias = {}});
    for (std::uint32_t number = 1; number <= 3; ++number) {
      builder.frame(number, {.module = 1, .address = 0x1000 + number});
    }
    builder.stack(1, {.caller = 0, .frame = 1});
    builder.stack(kParse, {.caller = 1, .frame = 2});
    builder.stack(kLoad, {.caller = 1, .frame = 3});
    builder.thread(1, {.tid = 100, .name = "main"});
    builder.thread(2, {.tid = 101, .name = "worker"});
  }
  Story& gets(std::uint64_t time_ns, std::uint64_t address, std::uint64_t bytes,
              std::uint32_t stack = kParse, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .requested_bytes = bytes,
                .stack = stack});
    return *this;
  }
  Story& frees(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    free({.time_ns = time_ns, .thread = thread, .address = Address{address}});
    return *this;
  }
  /// A realloc failed, in the time of its free.
  Story& keeps(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    frees(time_ns, address, thread);
    return restored(time_ns, address, thread);
  }
  Story& restored(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .requested_bytes = 1000,
                .stack = kLoad,
                .kind = recording::CallKind::kRestored});
    return *this;
  }
  Story& pools(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .stack = kLoad,
                .kind = recording::CallKind::kPool});
    return *this;
  }
  void allocation(const recording::Allocation& allocation) {
    hand_on({.time_ns = allocation.time_ns,
             .address = allocation.address,
             .requested_bytes = allocation.requested_bytes,
             .weight_bytes = allocation.weight_bytes,
             .thread = allocation.thread,
             .stack = allocation.stack,
             .place = 1,
             .kind = allocation.kind});
  }
  void free(const recording::Free& free) {
    hand_on({.time_ns = free.time_ns,
             .address = free.address,
             .thread = free.thread,
             .stack = free.stack,
             .place = 1,
             .is_free = true});
  }
  model::HeapProfile end(std::uint64_t time_ns = 0) {
    recording::Summary summary;
    if (time_ns != 0) {
      summary.ending = {.time_ns = time_ns,
                        .kind = recording::Ending::Kind::kExited,
                        .status = 3,
                        .losses = {.dropped_events = 4, .truncated_stacks = 5}};
    }
    return builder.finish(summary);
  }

  HeapProfileBuilder builder;

 private:
  /// As if it were an events block of its own.
  void hand_on(const recording::HeapEvent& event) {
    builder.heap_events({&event, 1}, {&event.address, 1});
    builder.events_end();
  }
};

/// Zeros where the profile does not have the stack.
inline const model::BlockTotals& stack_totals(const model::HeapProfile& profile,
                                              std::uint32_t node) {
  static const model::BlockTotals none;
  for (const model::StackProfile& stack : profile.stacks) {
    if (stack.node == node) return stack.totals;
  }
  return none;
}

}  // namespace mini::sources
