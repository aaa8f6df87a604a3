// What is too rare to be inline: the first block of a class, a full or empty stack, large blocks,
// the begin and end of a thread, and every pointer that is not what it should be.
#include "alloc/allocator.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <new>

#include "alloc/inside.h"
#include "alloc/misuse.h"
#include "alloc/options.h"
#include "alloc/page_move.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {

constinit thread_local ThreadState t_thread __attribute__((tls_model("initial-exec"))) = {};

namespace {

// Zero-filled memory of the library's own: it costs address space until it is used.
alignas(kGranule) constinit std::array<std::byte, std::size_t{64} << 10> g_emergency_memory{};
alignas(kGranule) constinit std::array<std::byte, std::size_t{128} << 10> g_first_memory{};
constinit FirstBlocks g_first_blocks{g_first_pool};

}  // namespace

constinit Pool g_emergency{g_emergency_memory.data(), g_emergency_memory.size()};
constinit Pool g_first_pool{g_first_memory.data(), g_first_memory.size()};
constinit Allocator g_allocator{g_emergency, &g_first_blocks};

void* Allocator::allocate_slowly(std::size_t bytes) {
  if (bytes > kLargestSmall) return allocate_pages({.bytes = bytes});
  const ClassIndex size_class = class_of(bytes);
  if (first_blocks_ != nullptr) {
    if (void* const block = first_blocks_->take(size_class, bytes); block != nullptr) return block;
  }
  return t_thread.inside ? emergency_.take(bytes) : allocate_in_slab(size_class);
}

// REQUIRES: the thread is not inside.
void* Allocator::allocate_in_slab(ClassIndex size_class) {
  const Inside inside;
  if (!backing_.pages.prepare()) return nullptr;
  ThreadCache* const cache = t_thread.cache != nullptr ? t_thread.cache : make_cache();
  return cache != nullptr ? cache->refill(size_class, shared())
                          : heap_.allocate_small(backing_, size_class);
}

void* Allocator::allocate_pages(Heap::LargeRequest request) {
  if (t_thread.inside) {
    void* const block = emergency_.take(request.bytes);
    if (block != nullptr && request.zero) std::memset(block, 0, request.bytes);
    return block;
  }
  const Inside inside;
  if (!backing_.pages.prepare()) return nullptr;
  request.shelf = backing_.pages.shelf();
  return heap_.allocate_large(backing_, request);
}

void* Allocator::allocate_zeroed(std::size_t bytes) {
  if (bytes > kLargestSmall) return allocate_pages({.bytes = bytes, .zero = true});
  void* const block = allocate(bytes);
  if (block != nullptr) std::memset(block, 0, bytes);
  return block;
}

void* Allocator::allocate_aligned(std::size_t alignment, std::size_t bytes) {
  if (alignment <= kGranule) return allocate(bytes);
  if (const ClassIndex size_class = aligned_class(alignment, bytes); size_class < kClassCount) {
    ThreadCache* const cache = t_thread.cache;
    void* const block = cache != nullptr ? cache->pop(size_class) : nullptr;
    if (block != nullptr || t_thread.inside) return block;
    return allocate_in_slab(size_class);
  }
  if (alignment > kLargestAlignment) return nullptr;
  if (t_thread.inside) return nullptr;  // what is kept for that moment is aligned to 16
  return allocate_pages({.bytes = bytes, .alignment = std::max(alignment, kPageBytes)});
}

Pool* Allocator::pool_of(const void* p) {
  if (first_blocks_ != nullptr && first_blocks_->pool().contains(p)) return &first_blocks_->pool();
  return emergency_.contains(p) ? &emergency_ : nullptr;
}

void Allocator::free_in_pool(Pool& pool, void* p) {
  switch (pool.free(p)) {
    case Pool::State::kInUse:
      return;
    case Pool::State::kFreed:
      die_of_misuse(Misuse::kDoubleFree, p, backing_);
    case Pool::State::kNoBlock:
      die_of_misuse(Misuse::kInvalidFree, p, backing_);
  }
}

BlockInfo Allocator::find(const void* p) {
  const std::size_t offset = backing_.window.offset(p);
  if (!backing_.window.contains(offset)) {
    const Pool* const pool = pool_of(p);
    if (pool == nullptr || pool->state(p) != Pool::State::kInUse) return {};
    return {.kind = BlockInfo::Kind::kPool, .usable_bytes = Pool::usable_size(p)};
  }
  const PageEntry entry = backing_.window.entry(offset);
  const auto code = static_cast<std::uint8_t>(entry.code & ~kCodeOwnHeap);
  if (code == kCodeNone) return {};
  Span& span = backing_.span_at(offset, entry);
  if (code == kCodeLarge) {
    if (offset % kPageBytes != 0) return {};
    return {.kind = BlockInfo::Kind::kLarge,
            .heap = span.heap,
            .span = &span,
            .usable_bytes = span.pages.bytes()};
  }
  const SizeClass& size_class = kSizeClasses[code];
  if (backing_.block_index(span, p) >= span.block_count) return {};
  return {.kind = BlockInfo::Kind::kSmall,
          .heap = span.heap,
          .size_class = code,
          .span = &span,
          .usable_bytes = size_class.block_bytes};
}

std::size_t Allocator::usable_size(const void* p) {
  return find(p).usable_bytes;
}

void Allocator::free_slowly(void* p) {
  if (p == nullptr) return;
  if (Pool* const pool = pool_of(p); pool != nullptr) return free_in_pool(*pool, p);
  const BlockInfo block = find(p);
  switch (block.kind) {
    case BlockInfo::Kind::kNone:
      die_of_misuse(backing_.pages.caches(p) ? Misuse::kDoubleFree : Misuse::kInvalidFree, p,
                    backing_);
    case BlockInfo::Kind::kPool:
      die_of_misuse(Misuse::kInvalidFree, p, backing_);
    case BlockInfo::Kind::kSmall:
      return free_small(p, block);
    case BlockInfo::Kind::kLarge:
      break;
  }
  if (t_thread.inside) return lose();
  free_large(p, block);
}

void Allocator::free_large(void* p, const BlockInfo& block, bool emptied) {
  bool was_in_use = false;
  {
    const Inside inside;
    SpanShelf* const shelf = block.heap == 0 ? backing_.pages.shelf() : nullptr;
    was_in_use =
        heap_of(block.heap).free_large(backing_, *block.span, {.shelf = shelf, .emptied = emptied});
  }
  if (!was_in_use) die_of_misuse(Misuse::kDoubleFree, p, backing_);
}

void Allocator::free_small(void* p, const BlockInfo& block) {
  if (t_thread.inside) return lose();
  const Inside inside;
  const bool suspect = t_thread.cache == nullptr || t_thread.cache->freed_recently(p);
  if (suspect && is_free(p, block)) die_of_misuse(Misuse::kDoubleFree, p, backing_);
  if (block.heap != 0) {
    return heap_of(block.heap).free_small(backing_, block.size_class, p);
  }
  ThreadCache* const cache = t_thread.cache != nullptr ? t_thread.cache : make_cache();
  if (cache == nullptr) return heap_.free_small(backing_, block.size_class, p);
  if (cache->push(block.size_class, p)) return;
  cache->make_room(block.size_class, shared());
  if (!cache->push(block.size_class, p)) heap_.free_small(backing_, block.size_class, p);
}

// A signal handler frees while its thread is inside the allocator: the block is not reused.
void Allocator::lose() {
  lost_blocks_.fetch_add(1, std::memory_order_relaxed);
}

// Whether a block is free by the records that this thread may trust: in its slab, in the depot or
// in the thread's own cache. What another thread's cache says is of no moment that we know.
bool Allocator::is_free(const void* p, const BlockInfo& block) {
  const ThreadCache* const cache = t_thread.cache;
  return heap_of(block.heap).bin(block.size_class).holds(p, *block.span, backing_) ||
         (cache != nullptr && cache->holds(block.size_class, p));
}

void Allocator::free_sized(void* p, std::size_t bytes, std::size_t alignment) {
  if (p == nullptr) return;
  const BlockInfo block = find(p);
  const std::size_t needed = std::max(bytes, alignment);
  bool possible = bytes <= block.usable_bytes;
  if (block.kind == BlockInfo::Kind::kSmall) {
    // realloc leaves a block where it is as long as half of it is used.
    possible =
        possible && (needed > block.usable_bytes / 2 || class_of(needed) == block.size_class);
  } else if (block.kind == BlockInfo::Kind::kLarge) {
    possible = possible && (block.span->kind == SpanKind::kGrowing ||
                            std::max(pages_for(bytes), PageCount{1}) == block.span->pages);
  } else if (block.kind == BlockInfo::Kind::kPool) {
    possible = possible && (needed > block.usable_bytes / 2 ||
                            Pool::usable_size_for(bytes) == block.usable_bytes);
  }
  if (!possible && block.kind != BlockInfo::Kind::kNone) {
    if (!g_options.forgives_wrong_sizes()) {
      die_of_misuse(Misuse::kSizeMismatch, p, backing_, bytes);
    }
    warn_of_size(p, block.usable_bytes, bytes);
  }
  free(p);
}

void* Allocator::resize(void* p, std::size_t bytes) {
  const BlockInfo block = find(p);
  switch (block.kind) {
    case BlockInfo::Kind::kNone:
      die_of_misuse(Misuse::kInvalidResize, p, backing_);
    case BlockInfo::Kind::kPool:
    case BlockInfo::Kind::kSmall:
      // A block at least half used stays: what it wastes is less than what a copy costs.
      if (bytes <= block.usable_bytes && bytes > block.usable_bytes / 2) return p;
      break;
    case BlockInfo::Kind::kLarge: {
      if (bytes <= kLargestSmall || t_thread.inside) break;
      const Inside inside;
      if (heap_of(block.heap).resize_large(backing_, *block.span, bytes)) return p;
      break;
    }
  }
  return move(p, block, bytes);
}

// A block of `bytes` in the heap of another.
void* Allocator::allocate_like(const BlockInfo& block, std::size_t bytes) {
  if (block.heap == 0 && bytes <= kLargestSmall) return allocate(bytes);
  const Heap::LargeRequest request{.bytes = bytes, .growing = bytes > block.usable_bytes};
  if (block.heap == 0) return allocate_pages(request);
  if (t_thread.inside) return nullptr;
  const Inside inside;
  Heap& heap = heap_of(block.heap);
  return bytes <= kLargestSmall ? heap.allocate_small(backing_, class_of(bytes))
                                : heap.allocate_large(backing_, request);
}

void* Allocator::move(void* p, const BlockInfo& block, std::size_t bytes) {
  constexpr std::size_t kWorthMoving = std::size_t{8} << 20;
  void* const fresh = allocate_like(block, bytes);
  if (fresh == nullptr) return nullptr;
  Move moved = Move::kNotDone;
  if (block.kind == BlockInfo::Kind::kLarge && !t_thread.inside &&
      block.usable_bytes >= kWorthMoving && bytes >= block.usable_bytes) {
    moved =
        move_contents(backing_.window, {block.span->first, block.span->pages},
                      {static_cast<std::uint32_t>(backing_.window.offset(fresh) >> kPageShift)});
  }
  switch (moved) {
    case Move::kDone:
    case Move::kCopied:
      free_large(p, block, moved == Move::kDone);
      return fresh;
    case Move::kNotDone:
      std::memcpy(fresh, p, std::min(bytes, block.usable_bytes));
      free(p);
      return fresh;
    case Move::kLost:
      return nullptr;  // stays a block, which nobody knows
  }
  return nullptr;
}

ThreadCache* Allocator::make_cache() {
  if (t_thread.ended) return nullptr;
  ThreadCache* cache = nullptr;
  {
    const Locked locked(registry_lock_);
    void* const record = backing_.records.take(sizeof(ThreadCache));
    if (record == nullptr) return nullptr;
    cache = new (record) ThreadCache(backing_, heap_.bins());
    cache->next = caches_;
    if (caches_ != nullptr) caches_->previous = cache;
    caches_ = cache;
    backing_.threads.fetch_add(1, std::memory_order_relaxed);
  }
  t_thread.cache = cache;
  // May allocate: the cache is ready for it.
  t_thread.inside = false;
  if (watch_thread_ != nullptr) watch_thread_();
  t_thread.inside = true;
  return cache;
}

// Hands a cache's blocks on. REQUIRES: nobody uses it.
void Allocator::remove(ThreadCache& cache) {
  {
    const Locked locked(registry_lock_);
    (cache.previous != nullptr ? cache.previous->next : caches_) = cache.next;
    if (cache.next != nullptr) cache.next->previous = cache.previous;
    backing_.threads.fetch_sub(1, std::memory_order_relaxed);
  }
  if (cache.busy()) return;  // of a thread that a fork left behind: better lost than wrong
  cache.dismantle();
  backing_.records.put(&cache, sizeof(ThreadCache));
}

void Allocator::end_thread() {
  ThreadCache* const cache = t_thread.cache;
  t_thread.ended = true;
  if (cache == nullptr) return;
  const Inside inside;
  t_thread.cache = nullptr;
  remove(*cache);
}

PageCount Allocator::trim(Heap& heap) {
  PageCount released;
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    const Bin::Place place = heap.place(backing_, size_class, false);
    heap.bin(size_class).drain_depot(place);
    released += heap.bin(size_class).release_free_pages(place);
  }
  return released;
}

bool Allocator::trim() {
  if (t_thread.inside) return false;
  const Inside inside;
  if (t_thread.cache != nullptr) t_thread.cache->drain();
  PageCount released = trim(heap_);
  {
    const Locked locked(heaps_.lock());
    heaps_.for_each([&](Heap& heap) { released += trim(heap); });
  }
  released += backing_.pages.release_all();
  released += backing_.records.release_free();
  return released.count != 0;
}

bool Allocator::has_served() const {
  return backing_.window.placed() || emergency_.used_bytes() != 0 ||
         (first_blocks_ != nullptr && first_blocks_->pool().used_bytes() != 0);
}

}  // namespace mini::alloc
