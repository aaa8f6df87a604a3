// Capacities follow demand: each visit to a bin doubles the stack, up to what the class may have
// and the thread may have in all; a class that is not visited for a while gives half of it back.
#include "alloc/thread_cache.h"

#include <algorithm>
#include <atomic>
#include <cstring>

#include "alloc/check.h"
#include "alloc/checked.h"
#include "alloc/options.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

constexpr std::uint32_t kLeastCapacity = 7;  // with the slot that ends it, a record of 64 bytes
constexpr std::uint32_t kLeastBytes = std::uint32_t{4} << 10;  // of a stack that is not grown
// What the stacks of one thread may grow by: a share of the heap, which many threads divide between
// them. Each thread has the least capacities besides, in all classes 489,744 bytes.
constexpr std::size_t kGrowthShare = 64;
constexpr std::size_t kLeastGrowthOfAll = std::size_t{4} << 20;
constexpr std::size_t kLeastGrowth = std::size_t{32} << 10;
constexpr std::size_t kMostGrowth = std::size_t{512} << 10;
constexpr std::uint32_t kVisitsToTidy = 64;
constexpr std::uint64_t kTidyNs = 200'000'000;

// What a stack without slots points to.
void* g_no_slots[1] = {nullptr};

constexpr std::size_t record_bytes(std::uint32_t capacity) {
  return (capacity + 1) * sizeof(void*);
}

}  // namespace

// A fork by another thread may copy the cache at any moment: the fences keep what is done to it
// between the two stores.
class ThreadCache::Busy {
 public:
  explicit Busy(ThreadCache& cache) : cache_(cache) {
    cache_.sequence_ = cache_.sequence_ + 1;
    std::atomic_thread_fence(std::memory_order_acq_rel);
  }
  Busy(const Busy&) = delete;
  Busy& operator=(const Busy&) = delete;
  ~Busy() {
    std::atomic_thread_fence(std::memory_order_acq_rel);
    cache_.sequence_ = cache_.sequence_ + 1;
    if constexpr (kChecked) {
      if (Checker::is_due()) Checker::cache(cache_);
    }
  }

 private:
  ThreadCache& cache_;
};

ThreadCache::ThreadCache(Backing& backing, Bin* bins) : backing_(backing), bins_(bins) {
  for (BlockStack& stack : stacks_) stack = {.top = g_no_slots + 1, .limit = g_no_slots + 1};
}

std::uint32_t ThreadCache::least_capacity(ClassIndex size_class) {
  const std::uint32_t by_bytes = kLeastBytes / kSizeClasses[size_class].block_bytes;
  return std::clamp(by_bytes, 1U, kLeastCapacity);
}

std::uint32_t ThreadCache::count(ClassIndex size_class) const {
  const BlockStack& stack = stacks_[size_class];
  return capacity_[size_class] - static_cast<std::uint32_t>(stack.limit - stack.top);
}

bool ThreadCache::holds(ClassIndex size_class, const void* block) const {
  void* const* const begin = bottom(size_class);
  return std::find(begin, begin + count(size_class), block) != begin + count(size_class);
}

void ThreadCache::set_stack(ClassIndex size_class, void** slots, std::uint32_t capacity,
                            std::uint32_t count) {
  void** const bottom = slots + 1;
  capacity_[size_class] = static_cast<std::uint16_t>(capacity);
  stacks_[size_class] = {.top = bottom + count, .limit = bottom + capacity};
}

std::size_t ThreadCache::most_growth() const {
  const std::size_t chosen = g_options.thread_cache_bytes.load(std::memory_order_relaxed);
  if (chosen != Options::kByDefault) return chosen;
  const std::size_t share = backing_.pages.in_use().bytes() / kGrowthShare;
  const std::uint32_t threads = std::max(backing_.threads.load(std::memory_order_relaxed), 1U);
  return std::clamp(std::min(share, std::max(share, kLeastGrowthOfAll) / threads), kLeastGrowth,
                    kMostGrowth);
}

// A stack of twice the capacity, or the first one, which is no growth.
bool ThreadCache::grow(ClassIndex size_class) {
  const std::uint32_t old = capacity_[size_class];
  if (old == 0) return resize(size_class, least_capacity(size_class));
  const std::uint32_t wanted =
      std::min<std::uint32_t>(2 * old + 1, kSizeClasses[size_class].cached_most);
  if (wanted <= old) return false;
  const std::uint32_t growth = (wanted - old) * kSizeClasses[size_class].block_bytes;
  return growth_bytes_ + growth <= most_growth() && resize(size_class, wanted);
}

// Half of a stack that is larger than the least, and half of its blocks, are for others.
void ThreadCache::shrink(ClassIndex size_class, bool shared) {
  const std::uint32_t blocks = count(size_class);
  if (blocks != 0) flush(size_class, (blocks + 1) / 2, shared);
  const std::uint32_t wanted =
      std::max<std::uint32_t>(capacity_[size_class] / 2, least_capacity(size_class));
  if (wanted < capacity_[size_class]) resize(size_class, wanted);
}

// Moves a stack's blocks to one of another capacity. False where there is no memory. REQUIRES: they
// fit.
bool ThreadCache::resize(ClassIndex size_class, std::uint32_t capacity) {
  auto** const slots = static_cast<void**>(backing_.records.take(record_bytes(capacity)));
  if (slots == nullptr) return false;
  const std::uint32_t old = capacity_[size_class];
  const std::uint32_t blocks = count(size_class);
  void** const old_slots = stacks_[size_class].limit - old - 1;
  slots[0] = nullptr;
  std::memcpy(slots + 1, old_slots + 1, blocks * sizeof *slots);
  set_stack(size_class, slots, capacity, blocks);
  if (old == 0) return true;
  backing_.records.put(old_slots, record_bytes(old));
  growth_bytes_ += (capacity - old) * kSizeClasses[size_class].block_bytes;  // modulo 2^32
  return true;
}

void* ThreadCache::refill(ClassIndex size_class, bool shared) {
  const Busy busy(*this);
  tidy(shared);
  // A signal handler may have freed some since the stack was found empty: it may be full.
  if (void* const block = pop(size_class); block != nullptr) return block;
  visits_[size_class] = 1;
  const bool is_first = shared && shares_lines(size_class) && capacity_[size_class] == 0;
  grow(size_class);
  const std::uint32_t capacity = capacity_[size_class];
  Bin& bin = bins_[size_class];
  if (capacity == 0) {
    void* block = nullptr;
    bin.take(&block, 1, place(size_class, shared));
    return block;
  }
  // Half of it: the other half is for blocks that are freed.
  BlockStack& stack = stacks_[size_class];
  const std::uint32_t most = (capacity + 1) / 2;
  // A thread that lives of a few blocks has none that another one writes beside.
  const std::uint32_t taken = is_first
                                  ? bin.take_whole_lines(stack.top, most, place(size_class, shared))
                                  : bin.take(stack.top, most, place(size_class, shared));
  if (taken == 0) return nullptr;
  // The lowest address on top.
  std::reverse(stack.top, stack.top + taken);
  stack.top += taken - 1;
  recent_.remove(*stack.top);
  return *stack.top;
}

void ThreadCache::make_room(ClassIndex size_class, bool shared) {
  const Busy busy(*this);
  tidy(shared);
  // What a thread frees before it took any is another's, perhaps with neighbours that the other
  // goes on to write. Were the first one kept, it would be taken next, and the line never be one
  // thread's. That there are more shows a thread that frees for others.
  const bool is_anothers =
      shared && shares_lines(size_class) && capacity_[size_class] == 0 && visits_[size_class] == 0;
  visits_[size_class] = 1;
  if (is_anothers) return;
  const std::uint32_t blocks = count(size_class);
  if (blocks < capacity_[size_class] || grow(size_class)) return;  // tidy() may have made room
  if (blocks != 0) flush(size_class, (blocks + 1) / 2, shared);
}

// Returns the blocks that were freed longest ago.
void ThreadCache::flush(ClassIndex size_class, std::uint32_t blocks, bool shared) {
  BlockStack& stack = stacks_[size_class];
  void** const bottom = stack.limit - capacity_[size_class];
  const std::uint32_t left = count(size_class) - blocks;
  bins_[size_class].put(bottom, blocks, place(size_class, shared));
  std::memmove(bottom, bottom + blocks, left * sizeof *bottom);
  stack.top = bottom + left;
}

void ThreadCache::tidy(bool shared) {
  if (const std::uint32_t crowded = backing_.pages.crowded_count(); crowded != crowded_count_) {
    crowded_count_ = crowded;
    empty_stacks();
    // What waits between threads keeps slabs as well.
    for (std::uint32_t i = 1; i < kClassCount; ++i) {
      bins_[i].drain_depot(place(static_cast<ClassIndex>(i), false));
    }
    return;
  }
  if (visits_to_tidy_-- != 0) return;
  visits_to_tidy_ = kVisitsToTidy;
  const std::uint64_t now = kernel::vm::coarse_now_ns();
  if (now - tidied_ns_ < kTidyNs) return;
  tidied_ns_ = now;
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    if (visits_[i] == 0 && capacity_[i] != 0) shrink(size_class, shared);
    visits_[i] = 0;
  }
  backing_.pages.settle();
}

void ThreadCache::drain() {
  const Busy busy(*this);
  empty_stacks();
}

void ThreadCache::empty_stacks() {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    if (const std::uint32_t blocks = count(size_class); blocks != 0) {
      flush(size_class, blocks, false);
    }
  }
}

void ThreadCache::dismantle() {
  drain();
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const std::uint32_t capacity = capacity_[i];
    if (capacity == 0) continue;
    backing_.records.put(stacks_[i].limit - capacity - 1, record_bytes(capacity));
    capacity_[i] = 0;
    stacks_[i] = {.top = g_no_slots + 1, .limit = g_no_slots + 1};
  }
  growth_bytes_ = 0;
}

}  // namespace mini::alloc
