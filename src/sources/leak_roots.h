// What of a process's memory the search for leaks begins with: what it may write or may have
// written, but for the heap itself, the parts of its stacks that are in use, and its registers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory_reader.h"
#include "heaps/reachability.h"
#include "kernel/proc_maps.h"

namespace mini::sources {

/// What is known of a process that holds still.
struct RootFacts {
  std::span<const kernel::MapsEntry> maps;
  std::span<const heaps::LiveRange> blocks;  // by address
  std::vector<std::uint64_t> stack_pointers;
  std::vector<std::uint64_t> thread_pointers = {};
  std::vector<std::uint64_t> registers;
  /// What no pointer counts in: an allocator's own notes of blocks, free ones above all. By
  /// address, disjoint.
  std::vector<AddressRange> excluded;
  /// Whether `blocks` are all there are. Where some are not known, what is between those that are
  /// may be one that points to others, and counts.
  bool has_all_blocks = true;
};

/// Adds to what is excluded.
void exclude(const std::vector<AddressRange>& ranges, RootFacts& facts);

/// Memory that is shared with other processes, or of a file that is mapped shared, has no part in
/// it.
///
/// Between the live blocks of a heap are free ones, whose old contents say nothing. So of the
/// [heap] and of glibc's other arenas nothing counts but the blocks that are reached. Of other
/// mappings with blocks, the rest does: it may be another mapping that the kernel joined with it.
/// A stack counts from its stack pointer on; what is below is left over from calls that returned.
heaps::RootSet find_roots(const RootFacts& facts);

/// What no pointer counts in of the stacks of threads that have ended: glibc keeps them, as they
/// were left, for threads to come, and until somebody has joined them. Not the thread's own record
/// at their ends, which has its result. REQUIRES: the facts have the pointers of all threads.
std::vector<AddressRange> ended_stacks(const MemoryReader& memory, const RootFacts& facts);

}  // namespace mini::sources
