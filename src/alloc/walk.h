// A walk over all blocks, while the program goes on.
#pragma once

#include <cstddef>
#include <cstdint>

#include "alloc/allocator.h"

namespace mini::alloc {

enum class BlockState : std::uint8_t {
  kLive,     // the program's
  kCached,   // free, kept by a thread
  kInDepot,  // free, between one thread's cache and the next
  kFree,     // free, in its slab
};

struct WalkedBlock {
  const void* address = nullptr;
  std::size_t usable_bytes = 0;
  BlockState state = BlockState::kLive;
  HeapId heap = 0;
  ClassIndex size_class = 0;  // 0: a large block, or one of a pool
};

/// False ends the walk. Called without a lock: it may use the allocator.
using VisitBlock = bool (*)(const WalkedBlock& block, void* context);

enum class WalkEnd : std::uint8_t {
  kDone,
  kStopped,
  kNoMemory,
  kInside,  // nothing done: a signal handler asks, which interrupted the allocator
};

/// Visits each block of a heap; of all heaps, where `heap` is null: what is guaranteed while other
/// threads are at work, include/minimalloc/minimalloc.h says.
WalkEnd walk(Allocator& allocator, const Heap* heap, VisitBlock visit, void* context);

}  // namespace mini::alloc
