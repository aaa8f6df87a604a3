// What writer and reader of an events block both know of the program's heap, so that an event which
// goes as expected costs next to nothing. Begins empty with each block. docs/recording-format.md,
// "Prediction", is its specification; both sides must call the same functions in the same order.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <vector>

#include "recording/event.h"
#include "recording/format.h"

namespace mini::recording {

using SlotNumber = std::uint16_t;
using LocalThread = std::uint16_t;
using LocalStack = std::uint16_t;

/// A size class: what decides which freed block malloc gives out next.
struct SizeClass {
  std::uint16_t number = 0;
  std::uint64_t bytes = 0;
};

inline SizeClass chunk_class(std::uint64_t size) {
  const std::uint64_t number = std::max<std::uint64_t>(2, (size + 23) >> 4);
  return {static_cast<std::uint16_t>(number), number << 4};
}

inline SizeClass geometric_class(std::uint64_t size) {
  if (size <= 128) {
    const std::uint64_t number = std::max<std::uint64_t>(1, (size + 15) >> 4);
    return {static_cast<std::uint16_t>(number), number << 4};
  }
  const std::uint64_t below = size - 1;
  const auto shift = static_cast<unsigned>(std::bit_width(below)) - 3;
  const std::uint64_t step = below >> shift;
  return {static_cast<std::uint16_t>((4 * (shift + 3)) + (step & 3)), (step + 1) << shift};
}

inline constexpr std::uint8_t kClassRules = 2;

inline SizeClass size_class(std::uint8_t rule, std::uint64_t size) {
  constexpr std::uint64_t kPage = 4096;
  if (size > 4072) {
    return {static_cast<std::uint16_t>(256 + std::bit_width(size)),
            (size + kPage - 1) & ~(kPage - 1)};
  }
  return rule == 0 ? chunk_class(size) : geometric_class(size);
}

/// Number 0 of every kind of thing is none, and a place to write to all the same.
class Prediction {
 public:
  struct Slot {
    std::uint64_t address = 0;
    SlotNumber next = 0;      // in its list
    SlotNumber previous = 0;  // 0 in the first one of a list, and in no list
    std::uint16_t size_class = 0;
    std::uint16_t list = 0;  // 0: in none
  };
  struct Thread {
    ThreadNumber number = 0;
    LocalStack last_stack = 0;
    SlotNumber last_freed = 0;
    std::uint64_t next_address = 0;  // where its next new block is expected, if has_next_address
    bool has_next_address = false;
  };
  struct Stack {
    StackNumber number = 0;
    LocalStack follower = 0;
    std::uint8_t kind = 0;
    std::uint64_t size = 0;
  };

  Prediction() {
    slots_.resize(kMaxEvents + 1);
    heads_.resize(kFreeLists);
    restart();
  }

  void restart() {
    slot_count_ = 0;
    std::fill(heads_.begin(), heads_.begin() + kFreeLists, 0);
    heads_.resize(kFreeLists);
    threads_.clear();
    stacks_.clear();
    new_thread(0);
    new_stack(0, 0);
  }

  SlotNumber slot_count() const { return slot_count_; }
  const Slot& slot(SlotNumber slot) const { return slots_[slot]; }
  std::size_t thread_count() const { return threads_.size() - 1; }
  Thread& thread(LocalThread thread) { return threads_[thread]; }
  std::size_t stack_count() const { return stacks_.size() - 1; }
  Stack& stack(LocalStack stack) { return stacks_[stack]; }

  LocalThread new_thread(ThreadNumber number) {
    threads_.push_back({.number = number});
    heads_.push_back(0);  // of its live slots
    return static_cast<LocalThread>(threads_.size() - 1);
  }

  LocalStack new_stack(StackNumber number, std::uint8_t kind) {
    stacks_.push_back({.number = number, .kind = kind});
    return static_cast<LocalStack>(stacks_.size() - 1);
  }

  /// What follows the thread's last stack, or 0.
  LocalStack expected_stack(LocalThread thread) const {
    return stacks_[threads_[thread].last_stack].follower;
  }
  void stack_seen(LocalThread thread, LocalStack stack) {
    stacks_[threads_[thread].last_stack].follower = stack;
    threads_[thread].last_stack = stack;
  }

  SlotNumber expected_free_slot(LocalThread thread, SizeClass size_class) const {
    return heads_[free_list(thread, size_class.number)];
  }
  SlotNumber expected_live_slot(LocalThread thread) const { return heads_[live_list(thread)]; }
  /// The slot after the thread's last freed one; 0 where there is none.
  SlotNumber slot_after_freed(LocalThread thread) const {
    const SlotNumber last = threads_[thread].last_freed;
    return last != 0 && last < slot_count_ ? static_cast<SlotNumber>(last + 1) : SlotNumber{0};
  }
  std::uint64_t expected_address(LocalThread thread) const {
    return threads_[thread].has_next_address ? threads_[thread].next_address : newest_address();
  }
  std::uint64_t newest_address() const {
    return slot_count_ == 0 ? 0 : slots_[slot_count_].address;
  }

  /// REQUIRES: fewer than kMaxEvents slots.
  SlotNumber new_slot(std::uint64_t address) {
    slots_[++slot_count_] = Slot{.address = address};
    return slot_count_;
  }

  void new_block_seen(LocalThread thread, std::uint64_t address, SizeClass size_class) {
    threads_[thread].next_address = address + size_class.bytes;
    threads_[thread].has_next_address = true;
  }

  void allocated(LocalThread thread, SlotNumber slot, SizeClass size_class) {
    take_out(slot);
    slots_[slot].size_class = size_class.number;
    put_in(slot, live_list(thread));
  }

  void freed(LocalThread thread, SlotNumber slot) {
    take_out(slot);
    if (slots_[slot].size_class != 0) put_in(slot, free_list(thread, slots_[slot].size_class));
    threads_[thread].last_freed = slot;
  }

 private:
  // Lists 1 to 4095 and 4096, for number 0, are of free slots; those from 4097 on of live ones.
  static constexpr std::size_t kFreeLists = 4097;

  static std::uint32_t free_list(LocalThread thread, std::uint16_t size_class) {
    const std::uint32_t number = (size_class + 331U * thread) % 4096;
    return number == 0 ? 4096 : number;
  }
  static std::uint32_t live_list(LocalThread thread) { return kFreeLists + thread; }

  void take_out(SlotNumber number) {
    Slot& slot = slots_[number];
    if (slot.list == 0) return;
    slots_[slot.next].previous = slot.previous;
    if (slot.previous != 0) {
      slots_[slot.previous].next = slot.next;
    } else {
      heads_[slot.list] = slot.next;
    }
    slot.list = 0;
  }

  void put_in(SlotNumber number, std::uint32_t list) {
    Slot& slot = slots_[number];
    slot.next = heads_[list];
    slot.previous = 0;
    slot.list = static_cast<std::uint16_t>(list);
    slots_[slot.next].previous = number;
    heads_[list] = number;
  }

  std::vector<Slot> slots_;
  SlotNumber slot_count_ = 0;
  std::vector<SlotNumber> heads_;
  std::vector<Thread> threads_;
  std::vector<Stack> stacks_;
};

}  // namespace mini::recording
