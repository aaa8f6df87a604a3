// Which stacks a thread has told the recorder of: (all of its return addresses) -> node.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "wire/channel.h"

namespace mini::agent {

/// One thread's. Zero-filled memory is an empty index, so one that was wiped by a fork is empty.
///
///  I1  slots are a power of two, at most half of them in use, so at most 2 * kNodes = 2^24
///  I2  a slot is [ tag: 40 ][ node: 24 ], 0 where it is free; the tag is the hash's upper 40 bits
///  I3  the lower bits are the place where the search begins; the node keeps them
///
/// Equal are stacks whose hashes and innermost addresses are. That is not certain, but two
/// different ones are taken for one in fewer than one of ten million programs with a million
/// stacks.
class StackIndex {
 public:
  /// The node of the stack with this hash and innermost frame; 0 where it is not known.
  std::uint32_t find(std::uint64_t hash, std::uint64_t pc, const wire::Node* nodes) const {
    if (slots_ == nullptr) return 0;
    for (std::size_t at = hash & mask_;; at = (at + 1) & mask_) {
      const std::uint64_t slot = slots_[at];
      if (slot == 0) return 0;
      const auto node = static_cast<std::uint32_t>(slot & kNodeMask);
      if ((slot ^ hash) <= kNodeMask && nodes[node].pc == pc &&
          nodes[node].place == (hash & kNodeMask)) {
        return node;
      }
    }
  }

  /// False where there is no memory. REQUIRES: find() did not know it.
  bool insert(std::uint64_t hash, std::uint32_t node, wire::Node* nodes) {
    if ((slots_ == nullptr || count_ * 2 > mask_) && !grow(nodes)) return false;
    nodes[node].place = static_cast<std::uint32_t>(hash & kNodeMask);
    put(slots_, mask_, hash, node);
    ++count_;
    return true;
  }

  /// Forgets all and gives the memory back.
  void clear() {
    clear_memory();
    *this = {};
  }

 private:
  static constexpr std::size_t kLeastSlots = 512;  // a page
  static constexpr std::uint64_t kNodeMask = (std::uint64_t{1} << 24) - 1;
  static_assert(wire::kNodes <= kNodeMask + 1);

  static void put(std::uint64_t* slots, std::size_t mask, std::uint64_t hash, std::uint32_t node) {
    std::size_t at = hash & mask;
    while (slots[at] != 0) at = (at + 1) & mask;
    slots[at] = (hash & ~kNodeMask) | node;
  }

  bool grow(const wire::Node* nodes) {
    const std::size_t slots = slots_ == nullptr ? kLeastSlots : (mask_ + 1) * 2;
    auto* const fresh =
        static_cast<std::uint64_t*>(kernel::vm::map_wiped_on_fork(slots * sizeof(std::uint64_t)));
    if (fresh == nullptr) return false;
    for (std::size_t i = 0; slots_ != nullptr && i <= mask_; ++i) {
      if (slots_[i] == 0) continue;
      const auto node = static_cast<std::uint32_t>(slots_[i] & kNodeMask);
      put(fresh, slots - 1, (slots_[i] & ~kNodeMask) | nodes[node].place, node);
    }
    clear_memory();
    slots_ = fresh;
    mask_ = slots - 1;
    return true;
  }

  void clear_memory() {
    if (slots_ != nullptr) kernel::vm::unmap(slots_, (mask_ + 1) * sizeof(std::uint64_t));
  }

  std::uint64_t* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t count_ = 0;
};

}  // namespace mini::agent
