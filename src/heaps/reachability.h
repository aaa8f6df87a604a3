// Which blocks of a heap a program can still come to, by what its memory says: leak detection as
// LeakSanitizer does it, on any reader of memory and any list of blocks.
//
// Every aligned word of the roots that is an address inside a block, at its begin or anywhere else,
// makes the block reachable; so does one in a block that is reachable. That is conservative: a
// number that happens to look like an address keeps a block, never the other way round.
//
//   reachable        a chain of pointers leads to it from a root
//   lost directly    none does, and no other lost block points to it; or it is the first of some
//                    lost blocks that point to each other in a ring
//   lost indirectly  only lost blocks point to it: freeing the one that is lost directly would free
//                    it too, in a program that cleans up
//
// Cost: each reachable byte is read once, each lost one three times at most; 16 bytes a block, 16 a
// page with blocks, and buffers.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

#include "base/memory_reader.h"
#include "base/units.h"

namespace mini::heaps {

struct LiveRange {
  std::uint64_t begin = 0;
  std::uint64_t bytes = 0;
};

struct RootSet {
  std::vector<AddressRange> ranges;
  std::vector<std::uint64_t> words;  // registers
};

enum class Reach : std::uint8_t { kLost, kLostIndirectly, kReachable };

struct Reachability {
  std::vector<Reach> of_block;  // as the blocks were given
  std::uint64_t scanned_bytes = 0;
  std::uint64_t unreadable_bytes = 0;  // that should have been scanned
};

/// REQUIRES: blocks are sorted by their begins, at most 2^32 - 1 of them. They come from a target,
/// perhaps an adversary: where two overlap, what both have belongs to the later one.
Reachability find_reachable(const MemoryReader& memory, std::span<const LiveRange> blocks,
                            const RootSet& roots);

}  // namespace mini::heaps
