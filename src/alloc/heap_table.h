// The heaps that the program made, by number.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "alloc/backing.h"
#include "alloc/heap.h"
#include "alloc/lock.h"

namespace mini::alloc {

/// Thread-safe. Numbers of destroyed heaps are used again.
class HeapTable {
 public:
  constexpr HeapTable() = default;

  /// An empty heap; null where there is no memory or there are kMost already.
  Heap* create(Backing& backing, const char* name);
  /// Frees all that is in it. REQUIRES: the heap is of this table and no other thread uses it.
  void destroy(Backing& backing, Heap& heap);
  /// REQUIRES: a heap of that number exists.
  Heap& at(HeapId id) { return *group(id)[id % kGroupSlots].load(std::memory_order_acquire); }

  /// REQUIRES: the table's lock is held, or nobody else is there.
  template <typename Apply>
  void for_each(Apply&& apply) {
    for (std::uint32_t id = 1; id < end_; ++id) {
      const auto number = static_cast<HeapId>(id);
      Heap* const heap = group(number)[id % kGroupSlots].load(std::memory_order_relaxed);
      if (heap != nullptr) apply(*heap);
    }
  }
  Lock& lock() { return lock_; }

 private:
  friend struct Inspector;

  static constexpr std::uint32_t kGroupSlots = 256;
  static constexpr std::uint32_t kMost = 65536;
  using Slot = std::atomic<Heap*>;

  Slot* group(HeapId id) { return groups_[id / kGroupSlots].load(std::memory_order_acquire); }
  bool find_number(Backing& backing, HeapId* id);

  Lock lock_{LockRank::kHeapTable};
  std::uint32_t end_ = 1;       // numbers in use are below
  std::uint32_t released_ = 0;  // of those below, that are not in use
  std::array<std::atomic<Slot*>, kMost / kGroupSlots> groups_{};
};

}  // namespace mini::alloc
