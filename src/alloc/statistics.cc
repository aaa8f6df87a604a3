// Bins count their slabs and blocks as they go; the rest is added up here.
#include "alloc/statistics.h"

#include <algorithm>
#include <cstring>

#include "alloc/inside.h"
#include "alloc/inspector.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

// What threads keep of a class, but for those that change their stack of it just now; false where
// one does. REQUIRES: the registry's lock is held.
bool count_cached(Allocator& allocator, ClassIndex size_class, std::uint64_t* blocks) {
  bool all_counted = true;
  *blocks = 0;
  for (const ThreadCache* cache = Inspector::caches(allocator); cache != nullptr;
       cache = cache->next) {
    std::size_t count = 0;
    const auto keep = [&](void* const*, std::size_t number) { count = number; };
    if (Inspector::with_stack(*cache, size_class, keep)) {
      *blocks += count;
    } else {
      all_counted = false;
    }
  }
  return all_counted;
}

ClassFigures figures_of(const Bin::Figures& bin, std::uint64_t cached) {
  ClassFigures figures{.slabs = bin.slabs,
                       .pages = bin.pages.count,
                       .blocks = bin.blocks,
                       .in_depots = bin.blocks_in_depot,
                       .free = bin.blocks - bin.blocks_out};
  const std::uint64_t elsewhere = bin.blocks_out - bin.blocks_in_depot;
  // A block that is freed or allocated just now may have been counted twice.
  figures.cached = std::min(cached, elsewhere);
  figures.in_use = elsewhere - figures.cached;
  return figures;
}

// Bin and stacks at one moment: a thread that is between the two waits for the bin's lock, and its
// stack is busy. As in a walk, what is in a stack that stays so counts as in use in the end.
// REQUIRES: the registry's lock is held.
ClassFigures figures_of(Allocator& allocator, Heap& heap, ClassIndex size_class) {
  constexpr std::uint32_t kTries = 100;
  Bin& bin = heap.bin(size_class);
  for (std::uint32_t i = 1;; ++i) {
    {
      const Locked locked(bin.lock());
      std::uint64_t cached = 0;
      if (heap.id() != 0 || count_cached(allocator, size_class, &cached) || i == kTries) {
        return figures_of(Inspector::figures(bin), cached);
      }
    }
    kernel::vm::nap();
  }
}

PoolFigures figures_of(Allocator& allocator, std::size_t number) {
  PoolFigures figures;
  const Pool* const pool = Inspector::pool(allocator, number);
  if (pool == nullptr) return figures;
  Inspector::for_each_pool_block(*pool, [&](const void*, std::size_t usable, bool in_use) {
    if (in_use) {
      figures.live_bytes += usable;
      ++figures.live_blocks;
    }
    return true;
  });
  figures.bytes = Inspector::pool_bytes(*pool);
  figures.rest_bytes = figures.bytes - figures.live_bytes;
  return figures;
}

}  // namespace

void ClassFigures::operator+=(const ClassFigures& other) {
  slabs += other.slabs;
  pages += other.pages;
  blocks += other.blocks;
  in_use += other.in_use;
  cached += other.cached;
  in_depots += other.in_depots;
  free += other.free;
}

bool read_heap_figures(Allocator& allocator, HeapId heap, HeapFigures* out) {
  if (t_thread.inside) return false;
  const Inside inside;
  const Locked registry(Inspector::registry_lock(allocator));
  const Locked heaps(allocator.heaps().lock());
  Heap* const found = Inspector::heap_of(allocator, heap);
  if (found == nullptr) return false;
  std::memcpy(out->name.data(), found->name(), Heap::kMostName + 1);
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    out->classes[i] = figures_of(allocator, *found, size_class);
  }
  const Heap::LargeFigures large = found->large_figures(allocator.backing());
  out->large = {.blocks = large.blocks, .pages = large.pages.count};
  return true;
}

std::uint32_t heap_end(Allocator& allocator) {
  return Inspector::heap_end(allocator);
}

bool read_figures(Allocator& allocator, Figures* out) {
  *out = Figures{};
  if (t_thread.inside) return false;
  for (std::uint32_t id = 0; id < heap_end(allocator); ++id) {
    HeapFigures heap;
    if (!read_heap_figures(allocator, static_cast<HeapId>(id), &heap)) continue;
    for (std::uint32_t i = 1; i < kClassCount; ++i) out->classes[i] += heap.classes[i];
    out->large.blocks += heap.large.blocks;
    out->large.pages += heap.large.pages;
    ++out->heaps;
  }
  for (std::size_t i = 0; Inspector::pool(allocator, i) != nullptr; ++i) {
    const PoolFigures pool = figures_of(allocator, i);
    out->pools.bytes += pool.bytes;
    out->pools.live_bytes += pool.live_bytes;
    out->pools.live_blocks += pool.live_blocks;
    out->pools.rest_bytes += pool.rest_bytes;
  }
  const Inside inside;
  const PageHeap::Figures pages = allocator.backing().pages.figures();
  out->used_pages = pages.in_use.count;
  out->free_pages = pages.free.count;
  out->resident_free_pages = pages.resident_free.count;
  out->tables_bytes = allocator.backing().window.metadata_bytes();
  out->threads = Inspector::thread_count(allocator).load(std::memory_order_relaxed);
  out->lost_blocks = Inspector::lost_count(allocator).load(std::memory_order_relaxed);
  return true;
}

ClassSums sum(const ClassTable& table) {
  ClassSums sums;
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const ClassFigures& figures = table[i];
    const std::uint64_t block_bytes = kSizeClasses[i].block_bytes;
    sums.counts += figures;
    sums.in_use_bytes += figures.in_use * block_bytes;
    sums.cached_bytes += figures.cached * block_bytes;
    sums.depot_bytes += figures.in_depots * block_bytes;
    sums.free_bytes += figures.free * block_bytes;
    sums.rest_bytes += figures.pages * kPageBytes - figures.blocks * block_bytes;
  }
  return sums;
}

}  // namespace mini::alloc
