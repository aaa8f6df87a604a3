// libminimalloc's heap, all of it: every slab, block, cache and depot, and its tables.
//
// By the published layout alone (docs/minimalloc-layout.md), pure over a MemoryReader. Nothing that
// is read is trusted; what cannot be so is told as damage, and the rest is read all the same.
#pragma once

#include <vector>

#include "base/memory_reader.h"
#include "heaps/heap_thread.h"
#include "heaps/minimalloc_layout.h"
#include "model/heap.h"

namespace mini::heaps {

struct MinimallocTarget {
  MinimallocLayout layout;
  std::vector<HeapThread> threads;
  /// Its private, writable mappings without a file, by address.
  std::vector<AddressRange> writable;
  /// Whether nothing changes while it is read. Else caches and depots are looked at twice.
  bool is_still = true;
};

/// Whether the library has memory: false as long as nothing was allocated.
bool has_minimalloc_heap(const MemoryReader& memory, const MinimallocLayout& layout);

/// Hands every block to `sink`: those of the heap by address, then those of pools, then what the
/// library keeps for itself. Cost: one pass over the tables, none of the blocks is read; memory: 24
/// bytes a slab or large block, 16 a cached block.
model::Heap read_minimalloc_heap(const MemoryReader& memory, const MinimallocTarget& target,
                                 model::PieceSink& sink);

/// Reads what read_minimalloc_heap will read, and makes nothing of it: for memory that keeps what
/// was read of a process, which can go on after that. Cost: as that, but by the slab or large
/// block, not by the block.
void survey_minimalloc_heap(const MemoryReader& memory, const MinimallocTarget& target);

}  // namespace mini::heaps
