// What is known of the pages of one extent, 2 MiB of the window that one huge page can back.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alloc/bits.h"
#include "alloc/pages.h"

namespace mini::alloc {

/// Guarded by the page heap's lock.
///
///  E1  dirty is a subset of resident
///  E2  resident_free == |resident and not used|
///  E3  first_free, longest_free, last_free are the lengths of the run of unused pages at the
///      extent's begin, of the longest anywhere, and at its end
struct Extent {
  Bits<kExtentPages> used;      // handed out, or not the allocator's (yet)
  Bits<kExtentPages> resident;  // may have memory; without the bit it certainly has none
  Bits<kExtentPages> dirty;     // may hold other bytes than zeros

  std::uint16_t first_free = 0;
  std::uint16_t longest_free = 0;
  std::uint16_t last_free = 0;
  std::uint16_t resident_free = 0;
  bool huge = false;           // a fault may bring a huge page
  bool was_huge = false;       // until a part of it was given back
  bool shed = false;           // some of its pages had memory once and were given back
  std::uint32_t last_use = 0;  // when pages of it were last taken or put, by ticks.h

  bool all_free() const { return longest_free == kExtentPages; }

  /// Marks a run used, of which no page was.
  void use(BitRun run) {
    used.set_run(run);
    const std::uint32_t end = run.begin + run.length;
    const std::uint32_t before = run.begin - used.end_of_set(run.begin);
    const std::uint32_t after = used.next_set(end) - end;
    // Only where the longest run was cut, another may be that now.
    if (before + run.length + after == longest_free) return summarize();
    if (run.begin == before) first_free = static_cast<std::uint16_t>(before);
    if (end + after == kExtentPages) last_free = static_cast<std::uint16_t>(after);
  }

  /// Marks a run unused, of which every page was used. Returns the run of unused pages that it is
  /// part of now.
  BitRun disuse(BitRun run) {
    used.clear_run(run);
    const std::uint32_t begin = used.end_of_set(run.begin);
    const std::uint32_t end = used.next_set(run.begin + run.length);
    const auto length = static_cast<std::uint16_t>(end - begin);
    if (begin == 0) first_free = length;
    if (end == kExtentPages) last_free = length;
    longest_free = std::max(longest_free, length);
    return {begin, length};
  }

  void summarize() {
    const BitRun first = used.next_clear_run(0);
    first_free = static_cast<std::uint16_t>(first.begin == 0 ? first.length : 0);
    std::uint32_t longest = 0;
    BitRun run = first;
    last_free = 0;
    while (run.length != 0) {
      longest = run.length > longest ? run.length : longest;
      const std::uint32_t end = run.begin + run.length;
      if (end == kExtentPages) last_free = static_cast<std::uint16_t>(run.length);
      run = used.next_clear_run(end);
    }
    longest_free = static_cast<std::uint16_t>(longest);
  }
};

}  // namespace mini::alloc
