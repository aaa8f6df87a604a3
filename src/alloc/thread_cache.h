// A thread's free blocks: for each size class a stack of pointers, used without a lock.
//
// The pointers lie in records of ours, never in the blocks: a program that writes through a
// dangling pointer cannot make malloc return an address of its choice, and a block that is freed
// cold is not fetched.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "alloc/bin.h"
#include "alloc/size_class.h"

namespace mini::alloc {

/// Slots [bottom, top) hold blocks, [top, limit) are empty; the slot below bottom holds null, which
/// ends the stack. The top block is the one that was freed last.
struct BlockStack {
  void** top = nullptr;
  void** limit = nullptr;
};

/// The blocks that a thread freed last and has not got again: where one of them is freed now, that
/// is most likely wrong. A hint, kept in a table without chains: a block that shares its slot with
/// a later one is forgotten, and what the table says is checked against the records.
class RecentFrees {
 public:
  bool contains(const void* block) const { return blocks_[slot(block)] == block; }
  void add(const void* block) { blocks_[slot(block)] = block; }
  void remove(const void* block) { blocks_[slot(block)] = nullptr; }

 private:
  static constexpr unsigned kLog2Slots = 8;

  // Fibonacci hashing: neighbours in memory spread over all slots, whatever their distance.
  static std::size_t slot(const void* block) {
    return (reinterpret_cast<std::uintptr_t>(block) * 0x9e37'79b9'7f4a'7c15U) >> (64 - kLog2Slots);
  }

  std::array<const void*, 1 << kLog2Slots> blocks_{};
};

/// Used by its thread alone, but for what is said of each function.
///
///  T1  for every class: bottom <= top <= limit
///  T2  growth_bytes == sum over classes of (capacity - least capacity) * block size, which was at
///      most most_growth() when it grew
class alignas(64) ThreadCache {
 public:
  ThreadCache(Backing& backing, Bin* bins);

  /// A block, or null where the stack is empty.
  void* pop(ClassIndex size_class) {
    BlockStack& stack = stacks_[size_class];
    void** const top = stack.top;
    void* const block = top[-1];
    if (block == nullptr) [[unlikely]]
      return nullptr;
    stack.top = top - 1;
    recent_.remove(block);
    return block;
  }

  /// False where the stack is full. REQUIRES: the block is of the class and not free.
  bool push(ClassIndex size_class, void* block) {
    BlockStack& stack = stacks_[size_class];
    void** const top = stack.top;
    if (top == stack.limit) [[unlikely]]
      return false;
    *top = block;
    std::atomic_signal_fence(std::memory_order_release);  // for who looks on: never a slot too many
    stack.top = top + 1;
    recent_.add(block);
    return true;
  }

  /// Whether it may be free already.
  bool freed_recently(const void* block) const { return recent_.contains(block); }

  /// Takes blocks from the bin; returns one of them, null where there is no memory.
  void* refill(ClassIndex size_class, bool shared);
  /// Makes room in a full stack: a larger stack, or some of its blocks back to the bin. There may
  /// be none all the same: then the block is for its slab.
  void make_room(ClassIndex size_class, bool shared);
  /// Whether a block is in the stack of its class.
  bool holds(ClassIndex size_class, const void* block) const;
  /// Returns all blocks to the bins; the stacks stay.
  void drain();
  /// Returns the stacks too. Afterwards the cache may be destroyed.
  void dismantle();

  // The list of all caches, guarded by the registry's lock.
  ThreadCache* next = nullptr;
  ThreadCache* previous = nullptr;

  /// Whether the thread is changing a stack by more than push() or pop(). In the child of a fork:
  /// whether the thread that is gone was, and the stacks make no sense.
  bool busy() const { return sequence_ % 2 != 0; }

  /// Blocks in a stack. From another thread: a number of a moment ago.
  std::uint32_t count(ClassIndex size_class) const;
  void* const* bottom(ClassIndex size_class) const {
    return stacks_[size_class].limit - capacity_[size_class];
  }

 private:
  friend struct Inspector;
  friend struct Checker;

  Bin::Place place(ClassIndex size_class, bool shared) const {
    return {.backing = backing_, .heap = 0, .size_class = size_class, .shared = shared};
  }
  class Busy;
  std::size_t most_growth() const;
  bool grow(ClassIndex size_class);
  void shrink(ClassIndex size_class, bool shared);
  bool resize(ClassIndex size_class, std::uint32_t capacity);
  void flush(ClassIndex size_class, std::uint32_t blocks, bool shared);
  void set_stack(ClassIndex size_class, void** slots, std::uint32_t capacity, std::uint32_t count);
  void tidy(bool shared);
  void empty_stacks();
  static std::uint32_t least_capacity(ClassIndex size_class);

  // First, so that the stacks do not begin where a page does: the first block of a page would share
  // its low twelve bits with the stack of the least class, and a processor would take each load of
  // the stack to depend on what the program has just written to the block.
  RecentFrees recent_;
  std::array<BlockStack, kClassCount> stacks_;
  std::array<std::uint16_t, kClassCount> capacity_{};
  std::array<std::uint8_t, kClassCount> visits_{};  // of refill and make_room since the last tidy
  Backing& backing_;
  Bin* bins_;
  std::uint32_t sequence_ = 0;      // odd: busy; it never has the same value twice
  std::uint32_t growth_bytes_ = 0;  // what capacities beyond the least make
  std::uint32_t visits_to_tidy_ = 0;
  std::uint32_t crowded_count_ = 0;  // the page heap's when the stacks were emptied last
  std::uint64_t tidied_ns_ = 0;
  const void* thread_ = __builtin_thread_pointer();  // whose it is, as the ABI names threads
};

}  // namespace mini::alloc
