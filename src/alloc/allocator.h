// The allocator: what malloc, free and their family do, but for their names.
//
// One exists in a process. The paths that nearly every call takes are here, inline; all else is a
// call away, in allocator.cc.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/backing.h"
#include "alloc/heap.h"
#include "alloc/heap_table.h"
#include "alloc/pool.h"
#include "alloc/thread_cache.h"

namespace mini::alloc {

/// The strictest there is: what is left before a block is described extent by extent, so that one
/// of 512 GiB would cost 53 MB of tables.
inline constexpr std::size_t kLargestAlignment = std::size_t{64} << 30;

/// What a thread has of its own. Initial-exec: a library that is loaded at start has its place in
/// the thread's static block, and an access is one instruction.
struct ThreadState {
  ThreadCache* cache;  // null: none yet, or none any more
  bool ended;          // its cache was handed on; what it still does goes to the bins directly
  bool inside;         // it holds a lock or is about to: a signal handler must not wait for it
};
extern constinit thread_local ThreadState t_thread __attribute__((tls_model("initial-exec")));

/// A block's size and where it belongs, by its address.
struct BlockInfo {
  enum class Kind : std::uint8_t { kNone, kSmall, kLarge, kPool };
  Kind kind = Kind::kNone;
  HeapId heap = 0;
  ClassIndex size_class = 0;
  Span* span = nullptr;
  std::size_t usable_bytes = 0;
};

/// Thread-safe. No function changes errno.
class Allocator {
 public:
  /// `emergency`: for a signal handler that interrupts the allocator itself. malloc may not be
  /// called there, and programs do: waiting for a lock would be waiting for oneself.
  constexpr explicit Allocator(Pool& emergency, FirstBlocks* first_blocks = nullptr)
      : emergency_(emergency), first_blocks_(first_blocks) {}
  Allocator(const Allocator&) = delete;
  Allocator& operator=(const Allocator&) = delete;

  /// A block of at least `bytes`, aligned to 16; null where there is no memory.
  void* allocate(std::size_t bytes) {
    void* const block = allocate_quickly(bytes);
    return block != nullptr ? block : allocate_slowly(bytes);
  }
  /// The same, of this thread's cache; null where that has none.
  [[gnu::always_inline]] void* allocate_quickly(std::size_t bytes) {
    ThreadCache* const cache = t_thread.cache;
    if (bytes > kLargestSmall || cache == nullptr) [[unlikely]]
      return nullptr;
    return cache->pop(class_of(bytes));
  }
  /// The same as allocate(), once that is known to have none.
  void* allocate_slowly(std::size_t bytes);

  /// Frees a block, or null. Aborts with a message where it is no block in use.
  void free(void* p) {
    if (!free_quickly(p, [](ClassIndex) { return true; })) free_slowly(p);
  }
  /// The same, for a block that the caller says to have asked for by this size (and a power of
  /// two). Aborts where that cannot be.
  void free_sized(void* p, std::size_t bytes) {
    const bool small = bytes <= kLargestSmall;
    const auto fits = [=](ClassIndex of_block) { return small && class_of(bytes) == of_block; };
    if (!free_quickly(p, fits)) free_sized(p, bytes, kGranule);
  }
  void free_sized(void* p, std::size_t bytes, std::size_t alignment);

  /// Zero-filled. `bytes`: of all of it.
  void* allocate_zeroed(std::size_t bytes);
  /// `alignment`: a power of two. Null also where it is beyond kLargestAlignment.
  void* allocate_aligned(std::size_t alignment, std::size_t bytes);
  /// REQUIRES: p is a block in use, bytes != 0. Null: no memory, and the block is as it was.
  void* resize(void* p, std::size_t bytes);
  /// Asks the system what may not be asked later: to be called as early as can be.
  void learn_system() { backing_.pages.learn_system(); }
  /// Bytes that the program may use of a block. REQUIRES: p is a block in use.
  std::size_t usable_size(const void* p);

  /// What an address is. kNone where no block begins there. The block may be free.
  BlockInfo find(const void* p);

  // A signal handler that interrupted the allocator itself gets null of all of these, and destroys
  // nothing.

  /// A heap of the program's own, by a name of at most 31 bytes; null where there is no memory.
  Heap* create_heap(const char* name);
  /// The one of that name with the lowest number; null for none.
  Heap* find_heap(const char* name);
  /// Frees all that is in it. REQUIRES: nobody uses the heap or a block of it.
  void destroy_heap(Heap& heap);
  struct InHeap {
    std::size_t bytes = 0;
    std::size_t alignment = kGranule;  // a power of two
    bool zeroed = false;
  };
  /// Null where there is no memory, or the alignment is beyond kLargestAlignment.
  void* allocate_in(Heap& heap, const InHeap& wanted);

  /// Gives back all memory that can be, of every heap: this thread's cache, depots, free pages,
  /// records. Returns whether any was.
  bool trim();
  /// Whether anybody has had a block of it, or a heap.
  bool has_served() const;
  /// To be called when a thread ends, by that thread.
  void end_thread();

  /// Around fork: all locks are taken before, released after in the parent, made anew in the child,
  /// where the caches of the threads that are gone are emptied. A signal handler may fork, whatever
  /// it interrupted.
  void before_fork();
  void after_fork_in_parent();
  void after_fork_in_child();

  /// To be called, if not null, by each thread that begins to use the allocator, with its cache
  /// ready. REQUIRES: set before there is a second thread.
  void set_watch_thread(void (*watch)()) { watch_thread_ = watch; }

  Backing& backing() { return backing_; }
  Heap& heap() { return heap_; }
  HeapTable& heaps() { return heaps_; }
  Heap& heap_of(HeapId id) { return id == 0 ? heap_ : heaps_.at(id); }

 private:
  friend struct Inspector;
  friend struct Checker;

  // To this thread's cache, where nothing speaks against it: a block of a class of malloc's that
  // fits, not freed just now. False: not done, whatever the reason.
  template <typename Fits>
  [[gnu::always_inline]] bool free_quickly(void* p, Fits&& fits) {
    const std::size_t offset = backing_.window.offset(p);
    ThreadCache* const cache = t_thread.cache;
    if (!backing_.window.contains(offset) || cache == nullptr) [[unlikely]]
      return false;
    const PageEntry entry = backing_.window.entry(offset);
    const auto in_slab = static_cast<std::uint32_t>(
        (std::uint32_t{entry.page_of_slab} << kPageShift) + (offset & (kPageBytes - 1)));
    return kDivisors[entry.code].starts_block(in_slab) && fits(entry.code) &&
           !cache->freed_recently(p) && cache->push(entry.code, p);
  }

  void* allocate_in_slab(ClassIndex size_class);
  void* allocate_pages(Heap::LargeRequest request);
  void free_slowly(void* p);
  Pool* pool_of(const void* p);
  void free_in_pool(Pool& pool, void* p);
  void free_small(void* p, const BlockInfo& block);
  void free_large(void* p, const BlockInfo& block, bool emptied = false);
  bool is_free(const void* p, const BlockInfo& block);
  void* move(void* p, const BlockInfo& block, std::size_t bytes);
  void* allocate_like(const BlockInfo& block, std::size_t bytes);
  void lose();
  PageCount trim(Heap& heap);
  ThreadCache* make_cache();
  void remove(ThreadCache& cache);
  bool shared() const { return backing_.threads.load(std::memory_order_relaxed) > 1; }
  template <typename Apply>
  void for_each_later_lock(Apply&& apply);

  Backing backing_;
  Heap heap_;
  HeapTable heaps_;
  Pool& emergency_;
  FirstBlocks* first_blocks_;                // null: none
  Lock registry_lock_{LockRank::kRegistry};  // of caches_
  ThreadCache* caches_ = nullptr;
  void (*watch_thread_)() = nullptr;
  std::atomic<std::uint64_t> lost_blocks_{0};  // freed by signal handlers at a bad moment
};

/// Held around a fork, outside all others, and by who registers fork handlers.
extern constinit Lock g_fork_handlers_lock;

/// The process's own, and its pools.
extern constinit Allocator g_allocator;
extern constinit Pool g_emergency;
extern constinit Pool g_first_pool;

}  // namespace mini::alloc
