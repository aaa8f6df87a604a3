// Which stacks a thread has told the recorder of: (all of its return addresses) -> its number.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "wire/record.h"

namespace mini::agent {

/// One thread's. Zero-filled memory is an empty index, so one that was wiped by a fork is empty.
///
///  I1  slots are a power of two, at most 7/8 of them in use: a search ends at a free one
///  I2  a slot is [ tag: 8 ][ number: 24 ], 0 where it is free; the tag is the hash's upper 8 bits
///  I3  hashes_[number] is the whole hash; its lower bits are where the search begins
///
/// Numbers come in turn, so their hashes have no gaps: a stack takes 13 to 17 bytes. Equal are
/// stacks whose hashes are. That is not certain, but two different ones are taken for one in fewer
/// than one of ten million programs with a million stacks.
class StackIndex {
 public:
  /// Of stacks that are in it: their numbers are 1 to count().
  std::uint32_t count() const { return count_; }

  /// The number of the stack with this hash; 0 where it is not known.
  std::uint32_t find(std::uint64_t hash) const {
    if (slots_ == nullptr) return 0;
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const std::uint32_t slot = slots_[at];
      if (slot == 0) return 0;
      const std::uint32_t number = slot & kNumberMask;
      if (slot >> wire::kStackBits == tag_of(hash) && hashes_[number] == hash) return number;
    }
  }

  /// Has room for one more; false where there is no memory, or no number.
  bool make_room() {
    if (count_ == wire::kMostStacks) return false;
    return (slots_ != nullptr && count_ < most_of(mask_ + 1)) || grow();
  }
  /// The new stack's number. REQUIRES: make_room() said so, and find() did not know it.
  std::uint32_t insert(std::uint64_t hash) {
    hashes_[++count_] = hash;
    put(count_);
    return count_;
  }

  /// Forgets all and gives the memory back.
  void clear() {
    const StackIndex before = *this;
    *this = {};
    if (before.slots_ != nullptr) kernel::vm::unmap(before.slots_, bytes_of(before.mask_ + 1));
  }

  /// Whether a child of fork finds it as it is. A signal handler may come here in the middle of
  /// any of these: slots_ never points at memory that was given back.
  void keep_on_fork(bool keep) const {
    if (slots_ != nullptr) kernel::vm::keep_on_fork(slots_, bytes_of(mask_ + 1), keep);
  }

 private:
  static constexpr std::size_t kPage = 4096;
  static constexpr std::size_t kLeastSlots = 512;
  static constexpr std::uint32_t kNumberMask = wire::kMostStacks;

  static constexpr std::size_t most_of(std::size_t slots) { return slots - slots / 8; }
  static constexpr std::size_t bytes_of(std::size_t slots) {
    const std::size_t bytes =
        slots * sizeof(std::uint32_t) + (most_of(slots) + 1) * sizeof(std::uint64_t);
    return (bytes + kPage - 1) & ~(kPage - 1);
  }
  static std::uint32_t tag_of(std::uint64_t hash) { return static_cast<std::uint32_t>(hash >> 56); }

  void put(std::uint32_t number) {
    const std::uint64_t hash = hashes_[number];
    std::size_t at = hash & mask_;
    while (slots_[at] != 0) at = (at + 1) & mask_;
    slots_[at] = tag_of(hash) << wire::kStackBits | number;
  }

  bool grow() {
    const std::size_t slots = slots_ == nullptr ? kLeastSlots : (mask_ + 1) * 2;
    auto* const fresh = static_cast<std::uint32_t*>(kernel::vm::map_wiped_on_fork(bytes_of(slots)));
    if (fresh == nullptr) return false;
    // What is in slots is spread over all of them.
    const std::size_t slot_pages = slots * sizeof(std::uint32_t) & ~(kPage - 1);
    if (slot_pages > kPage) kernel::vm::populate(fresh, slot_pages);
    auto* const hashes = reinterpret_cast<std::uint64_t*>(fresh + slots);
    if (slots_ != nullptr) {
      std::memcpy(hashes, hashes_, (count_ + std::size_t{1}) * sizeof(std::uint64_t));
    }
    std::uint32_t* const before = slots_;
    const std::size_t bytes_before = bytes_of(mask_ + 1);
    slots_ = fresh;
    hashes_ = hashes;
    std::atomic_signal_fence(std::memory_order_seq_cst);  // clear() may come in between
    mask_ = slots - 1;
    if (before != nullptr) kernel::vm::unmap(before, bytes_before);
    for (std::uint32_t number = 1; number <= count_; ++number) put(number);
    return true;
  }

  std::uint32_t* slots_ = nullptr;   // and behind them, in the same memory,
  std::uint64_t* hashes_ = nullptr;  // by number; that of 0 is not used
  std::size_t mask_ = 0;
  std::uint32_t count_ = 0;
};

}  // namespace mini::agent
