// What writer and reader of an events block both know of the program's heap, so that an event which
// goes as expected costs next to nothing. Begins empty with each block. docs/recording-format.md,
// "Prediction", is its specification; both sides must call the same functions in the same order.
#pragma once

#include <algorithm>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "recording/event.h"
#include "recording/format.h"

namespace mini::recording {

using SlotNumber = std::uint16_t;
using LocalThread = std::uint16_t;
using LocalStack = std::uint16_t;

/// A size class: what decides which freed block malloc gives out next.
// A word: half of one, stored and loaded again as a whole, stalls the processor.
struct SizeClass {
  std::uint32_t number = 0;  // has 16 bits
  std::uint64_t bytes = 0;
};

inline SizeClass chunk_class(std::uint64_t size) {
  const std::uint64_t number = std::max<std::uint64_t>(2, (size + 23) >> 4);
  return {static_cast<std::uint32_t>(number), number << 4};
}

inline SizeClass geometric_class(std::uint64_t size) {
  if (size <= 128) {
    const std::uint64_t number = std::max<std::uint64_t>(1, (size + 15) >> 4);
    return {static_cast<std::uint32_t>(number), number << 4};
  }
  const std::uint64_t below = size - 1;
  const auto shift = static_cast<unsigned>(std::bit_width(below)) - 3;
  const std::uint64_t step = below >> shift;
  return {static_cast<std::uint32_t>((4 * (shift + 3)) + (step & 3)), (step + 1) << shift};
}

inline constexpr std::uint8_t kClassRules = 2;

inline SizeClass size_class(std::uint8_t rule, std::uint64_t size) {
  constexpr std::uint64_t kPage = 4096;
  if (size > 4072) {
    return {static_cast<std::uint32_t>(256 + std::bit_width(size)),
            (size + kPage - 1) & ~(kPage - 1)};
  }
  return rule == 0 ? chunk_class(size) : geometric_class(size);
}

/// Number 0 of every kind of thing is none, and a place to write to all the same. About 2 MiB, of
/// which a block touches what it needs.
//
// Slots are linked in rings, each with a node of its own that is no slot: putting in and taking out
// ask nothing. A slot that is in no list is a ring by itself. Nodes are
//
//   0 … 65535         slots
//   kFreeLists + n    free list n of 4096
//   kLiveLists + n    live list of local thread n
class Prediction {
 public:
  struct Stack {
    StackNumber number = 0;
    LocalStack follower = 0;
    std::uint8_t kind = 0;
    std::uint64_t size = 0;
  };

  Prediction()
      : nodes_(std::make_unique_for_overwrite<Node[]>(kLiveLists + kMaxThreads + 1)),
        classes_(std::make_unique_for_overwrite<std::uint16_t[]>(kSlots)) {
    nodes_[0].address = 0;
    restart();
  }

  void restart() {
    slot_count_ = 0;
    for (std::uint32_t node = kFreeLists; node < kLiveLists; ++node) make_ring(link_to(node));
    threads_.clear();
    stacks_.clear();
    new_thread(0);
    new_stack(0, 0);
  }

  ThreadNumber thread_number(LocalThread thread) const { return threads_[thread].number; }
  SlotNumber slot_count() const { return slot_count_; }
  bool has_slot(SlotNumber slot) const {
    return static_cast<SlotNumber>(slot - 1) < slot_count_;  // 0 is none
  }
  /// REQUIRES: slot <= slot_count().
  std::uint64_t address(SlotNumber slot) const { return at(link_to(slot)).address; }
  /// Says that a slot is asked for soon. Any number will do.
  void prefetch(SlotNumber slot) const { __builtin_prefetch(&at(link_to(slot)), 1); }
  /// Counts from 1; see local numbers in the specification.
  std::size_t thread_count() const { return threads_.size() - 1; }
  /// Number 0 at the beginning of a block.
  ThreadNumber current_thread() const { return current_->number; }
  bool has_current_thread() const { return live_list_ != link_to(kLiveLists); }
  /// What follows is this thread's doing. REQUIRES: thread <= thread_count().
  void set_current_thread(LocalThread thread) {
    current_ = &threads_[thread];
    live_list_ = link_to(kLiveLists + std::uint32_t{thread});
    class_offset_ = 331U * thread;
  }
  std::size_t stack_count() const { return stacks_.size() - 1; }
  Stack& stack(LocalStack stack) { return stacks_[stack]; }

  /// Which is then the current one. REQUIRES: fewer than kMaxThreads.
  LocalThread new_thread(ThreadNumber number) {
    threads_.push_back({.number = number});
    const auto thread = static_cast<LocalThread>(threads_.size() - 1);
    make_ring(link_to(kLiveLists + std::uint32_t{thread}));
    set_current_thread(thread);
    return thread;
  }

  LocalStack new_stack(StackNumber number, std::uint8_t kind) {
    stacks_.push_back({.number = number, .kind = kind});
    return static_cast<LocalStack>(stacks_.size() - 1);
  }

  // All of what follows is of the current thread.

  /// What follows its last stack, or 0.
  LocalStack expected_stack() const { return stacks_[current_->last_stack].follower; }
  void stack_seen(LocalStack stack) {
    stacks_[current_->last_stack].follower = stack;
    current_->last_stack = stack;
  }

  /// 0 where the list is empty.
  SlotNumber expected_free_slot(SizeClass size_class) const {
    return first_of(free_list(size_class.number));
  }
  SlotNumber expected_live_slot() const { return first_of(live_list_); }
  /// The slot after the last freed one; 0 where there is none.
  SlotNumber slot_after_freed() const {
    const SlotNumber last = current_->last_freed;
    return last != 0 && last < slot_count_ ? static_cast<SlotNumber>(last + 1) : SlotNumber{0};
  }
  std::uint64_t expected_address() const {
    return current_->has_next_address ? current_->next_address : newest_address();
  }
  std::uint64_t newest_address() const {
    return slot_count_ == 0 ? 0 : at(link_to(slot_count_)).address;
  }

  /// REQUIRES: fewer than kMaxEvents slots.
  SlotNumber new_slot(std::uint64_t address) {
    const SlotNumber slot = ++slot_count_;
    make_ring(link_to(slot));
    at(link_to(slot)).address = address;
    classes_[slot] = 0;
    return slot;
  }

  void new_block_seen(std::uint64_t address, SizeClass size_class) {
    current_->next_address = address + size_class.bytes;
    current_->has_next_address = true;
  }

  void allocated(SlotNumber slot, SizeClass size_class) {
    take_out(slot);
    classes_[slot] = static_cast<std::uint16_t>(size_class.number);
    put_in(slot, live_list_);
  }

  void freed(SlotNumber slot) {
    take_out(slot);
    const std::uint16_t size_class = classes_[slot];
    if (size_class != 0) {
      put_in(slot, free_list(size_class));
    } else {
      make_ring(link_to(slot));
    }
    current_->last_freed = slot;
  }

 private:
  /// Where a node is, in bytes from the first: one less instruction for each that is followed than
  /// with numbers.
  using Link = std::uint32_t;
  struct Node {
    std::uint64_t address;  // of a slot
    Link next;
    Link previous;
  };

  struct Thread {
    ThreadNumber number = 0;
    LocalStack last_stack = 0;
    SlotNumber last_freed = 0;
    std::uint64_t next_address = 0;  // where its next new block is expected, if has_next_address
    bool has_next_address = false;
  };

  static constexpr std::uint32_t kSlots = kMaxEvents + 1;
  static constexpr std::uint32_t kFreeLists = kSlots;
  static constexpr std::uint32_t kFreeListCount = 4096;
  static constexpr std::uint32_t kLiveLists = kFreeLists + kFreeListCount;

  static constexpr Link link_to(std::uint32_t node) {
    return node * static_cast<Link>(sizeof(Node));
  }
  Node& at(Link link) {
    return *reinterpret_cast<Node*>(reinterpret_cast<std::byte*>(nodes_.get()) + link);
  }
  const Node& at(Link link) const {
    return *reinterpret_cast<const Node*>(reinterpret_cast<const std::byte*>(nodes_.get()) + link);
  }

  Link free_list(std::uint32_t size_class) const {
    return link_to(kFreeLists + (size_class + class_offset_) % kFreeListCount);
  }

  void make_ring(Link link) { at(link).next = at(link).previous = link; }

  SlotNumber first_of(Link list) const {
    const Link first = at(list).next;
    return first < link_to(kSlots) ? static_cast<SlotNumber>(first / sizeof(Node)) : SlotNumber{0};
  }

  /// Leaves the slot's own links as they are.
  void take_out(SlotNumber slot) {
    const Node& node = at(link_to(slot));
    at(node.next).previous = node.previous;
    at(node.previous).next = node.next;
  }

  void put_in(SlotNumber slot, Link list) {
    const Link self = link_to(slot);
    const Link second = at(list).next;
    at(self).next = second;
    at(self).previous = list;
    at(second).previous = self;
    at(list).next = self;
  }

  std::unique_ptr<Node[]> nodes_;
  std::unique_ptr<std::uint16_t[]> classes_;  // of slots; 0: never allocated in this block
  SlotNumber slot_count_ = 0;
  std::vector<Thread> threads_;
  Thread* current_ = nullptr;  // and what its number leads to:
  Link live_list_ = link_to(kLiveLists);
  std::uint32_t class_offset_ = 0;
  std::vector<Stack> stacks_;
};

}  // namespace mini::recording
