// The private members that those who look on need: the walk, the statistics, the published layout.
//
// The one friend of the allocator's classes. Whatever of them is named outside their own files is
// named here, so that a change of a class shows at once who depends on it.
#pragma once

#include <atomic>
#include <cstddef>

#include "alloc/allocator.h"

namespace mini::alloc {

struct Inspector {
  // State, by reference: constant expressions for the process's own allocator.

  static constexpr Backing& backing(Allocator& a) { return a.backing_; }
  static constexpr Heap& main_heap(Allocator& a) { return a.heap_; }
  static constexpr auto& heap_groups(Allocator& a) { return a.heaps_.groups_; }
  static constexpr auto& heap_end(Allocator& a) { return a.heaps_.end_; }
  static constexpr auto& caches(Allocator& a) { return a.caches_; }
  static constexpr Lock& registry_lock(Allocator& a) { return a.registry_lock_; }
  static constexpr auto& thread_count(Allocator& a) { return a.backing_.threads; }
  static constexpr auto& lost_count(Allocator& a) { return a.lost_blocks_; }

  static constexpr auto& heap_begin(Allocator& a) { return a.backing_.window.heap_begin_; }
  static constexpr auto& heap_bytes(Allocator& a) { return a.backing_.window.heap_bytes_; }
  static constexpr auto& page_map(Allocator& a) { return a.backing_.window.page_map_.begin_; }
  static constexpr auto& span_ids(Allocator& a) { return a.backing_.window.span_ids_.begin_; }
  static constexpr auto& spans(Allocator& a) { return a.backing_.window.spans_.begin_; }
  static constexpr auto& extents(Allocator& a) { return a.backing_.window.extents_.begin_; }
  static constexpr auto& span_end(Allocator& a) { return a.backing_.spans.end_; }
  static constexpr auto& used_pages(Allocator& a) { return a.backing_.pages.in_use_; }
  static constexpr auto& cached_pages(Allocator& a) { return a.backing_.pages.cache_.pages_; }
  static constexpr auto& shelves(Allocator& a) { return a.backing_.pages.shelves_; }
  static constexpr auto& free_pages(Allocator& a) { return a.backing_.pages.free_.free_; }
  static constexpr auto& resident_free_pages(Allocator& a) {
    return a.backing_.pages.memory_.resident_free_;
  }

  static constexpr std::size_t kShelves = PageHeap::kShelves;
  static constexpr std::size_t kHeapGroups = decltype(Allocator::heaps_.groups_){}.size();
  static constexpr std::size_t kHeapGroupSlots = HeapTable::kGroupSlots;

  /// The heap of a number; null for none. REQUIRES: the table's lock is held.
  static Heap* heap_of(Allocator& a, HeapId id) {
    if (id == 0) return &a.heap_;
    if (id >= a.heaps_.end_) return nullptr;
    return a.heaps_.group(id)[id % HeapTable::kGroupSlots].load(std::memory_order_relaxed);
  }

  /// Pools that the allocator has, by number; null beyond the last.
  static constexpr const Pool* pool(const Allocator& a, std::size_t i) {
    if (i == 0) return &a.emergency_;
    return i == 1 && a.first_blocks_ != nullptr ? &a.first_blocks_->pool() : nullptr;
  }
  static constexpr const std::byte* pool_memory(const Pool& pool) { return pool.memory_; }
  static constexpr std::size_t pool_bytes(const Pool& pool) { return pool.bytes_; }
  static constexpr std::uint64_t kPoolInUse = Pool::kInUse;
  static constexpr std::uint64_t kPoolFreed = Pool::kFreed;
  /// Calls apply(address, usable bytes, in use) for each block until it says false.
  template <typename Apply>
  static bool for_each_pool_block(const Pool& pool, Apply&& apply) {
    std::size_t offset = kGranule;
    while (offset < pool.bytes_) {
      const std::byte* const block = pool.memory_ + offset;
      const std::uint64_t header = Pool::header(block).load(std::memory_order_relaxed);
      const std::uint64_t chunk_bytes = header & ~Pool::kStateMask;
      if (chunk_bytes == 0) break;  // never taken, or about to be
      const bool in_use = (header & Pool::kStateMask) == Pool::kInUse;
      if (!apply(block, Pool::usable_size(block), in_use)) return false;
      offset += chunk_bytes;
    }
    return true;
  }

  // Of a bin. REQUIRES: its lock is held.

  static std::uint32_t slab_count(const Bin& bin) { return bin.slabs_; }
  static void* const* depot(const Bin& bin) { return bin.depot_; }
  static std::uint32_t depot_count(const Bin& bin) { return bin.depot_count_; }
  static Bin::Figures figures(const Bin& bin) {
    return {.slabs = bin.slabs_,
            .pages = bin.pages_,
            .blocks = bin.blocks_,
            .blocks_out = bin.blocks_out_,
            .blocks_in_depot = bin.depot_count_};
  }
  template <typename Apply>
  static void for_each_slab(const Bin& bin, Apply&& apply) {
    for (const SpanList& list : bin.lists_) {
      for (const Span* slab = list.front(); slab != nullptr; slab = slab->next) apply(*slab);
    }
  }

  // Of a thread's cache, which the thread changes meanwhile.

  static std::uint32_t sequence(const ThreadCache& cache) {
    return __atomic_load_n(&cache.sequence_, __ATOMIC_ACQUIRE);
  }
  static BlockStack stack(const ThreadCache& cache, ClassIndex size_class) {
    const BlockStack& stack = cache.stacks_[size_class];
    BlockStack copy;
    // The top first: what is pushed later is above it.
    copy.top = __atomic_load_n(&stack.top, __ATOMIC_ACQUIRE);
    copy.limit = __atomic_load_n(&stack.limit, __ATOMIC_RELAXED);
    return copy;
  }
  static std::uint32_t capacity(const ThreadCache& cache, ClassIndex size_class) {
    return __atomic_load_n(&cache.capacity_[size_class], __ATOMIC_RELAXED);
  }
  /// Calls apply(first slot, count) with a stack's blocks. False, perhaps after it was called,
  /// where the thread was changing the stack by more than a push or a pop. Of those every slot
  /// below the top that was read first held a free block at some time since.
  template <typename Apply>
  static bool with_stack(const ThreadCache& cache, ClassIndex size_class, Apply&& apply) {
    const std::uint32_t before = sequence(cache);
    if (before % 2 != 0) return false;
    const BlockStack copy = stack(cache, size_class);
    const std::size_t slots = capacity(cache, size_class);
    const std::size_t count = slots - static_cast<std::size_t>(copy.limit - copy.top);
    if (count > slots) return false;
    apply(copy.top - count, count);
    std::atomic_thread_fence(std::memory_order_acquire);
    return sequence(cache) == before;
  }

  // Where members are. The classes are none that C knows, so that the standard leaves offsetof to
  // the compiler; every one that we know has it.
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Winvalid-offsetof"
  static constexpr std::size_t kCacheNext = offsetof(ThreadCache, next);
  static constexpr std::size_t kCacheSequence = offsetof(ThreadCache, sequence_);
  static constexpr std::size_t kCacheThread = offsetof(ThreadCache, thread_);
  static constexpr std::size_t kCacheStacks = offsetof(ThreadCache, stacks_);
  static constexpr std::size_t kCacheCapacities = offsetof(ThreadCache, capacity_);
  static_assert(sizeof(ThreadCache::sequence_) == 4 && sizeof(ThreadCache::thread_) == 8 &&
                sizeof(ThreadCache::capacity_) == 2 * kClassCount &&
                sizeof(ThreadCache::stacks_) == sizeof(BlockStack) * kClassCount);

  static constexpr std::size_t kHeapId = offsetof(Heap, id_);
  static constexpr std::size_t kHeapName = offsetof(Heap, name_);
  static constexpr std::size_t kHeapNameBytes = sizeof(Heap::name_);
  static constexpr std::size_t kHeapBins = offsetof(Heap, bins_);
  static constexpr std::size_t kHeapLarge = offsetof(Heap, large_count_);
  static constexpr std::size_t kHeapLargeBlocks = kHeapLarge + offsetof(Heap::LargeFigures, blocks);
  static constexpr std::size_t kHeapLargePages = kHeapLarge + offsetof(Heap::LargeFigures, pages);
  static_assert(sizeof(Heap::id_) == 2 && sizeof(Heap::LargeFigures::blocks) == 8 &&
                sizeof(Heap::LargeFigures::pages) == 4);

  static constexpr std::size_t kBinDepot = offsetof(Bin, depot_);
  static constexpr std::size_t kBinDepotCount = offsetof(Bin, depot_count_);
  static constexpr std::size_t kBinSlabs = offsetof(Bin, slabs_);
  static constexpr std::size_t kBinPages = offsetof(Bin, pages_);
  static constexpr std::size_t kBinBlocks = offsetof(Bin, blocks_);
  static constexpr std::size_t kBinBlocksOut = offsetof(Bin, blocks_out_);
  static constexpr std::size_t kShelfPages = offsetof(SpanShelf, pages_);
  static constexpr std::size_t kShelfTaken = offsetof(SpanShelf, taken_);
  static constexpr std::size_t kShelfTakenBlocks = kShelfTaken + offsetof(SpanShelf::Taken, blocks);
  static constexpr std::size_t kShelfTakenPages = kShelfTaken + offsetof(SpanShelf::Taken, pages);
  static_assert(sizeof(SpanShelf::pages_) == 4 && sizeof(SpanShelf::Taken::blocks) == 8 &&
                sizeof(SpanShelf::Taken::pages) == 4);

  static constexpr std::size_t kPoolMemory = offsetof(Pool, memory_);
  static constexpr std::size_t kPoolBytes = offsetof(Pool, bytes_);
  static_assert(sizeof(Pool::bytes_) == 8);

  static_assert(sizeof(Bin::depot_count_) == 4 && sizeof(Bin::slabs_) == 4 &&
                sizeof(Bin::pages_) == 4 && sizeof(Bin::blocks_) == 8 &&
                sizeof(Bin::blocks_out_) == 8);
#pragma GCC diagnostic pop
};

}  // namespace mini::alloc
