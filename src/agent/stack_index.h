// Which frames a thread has told the recorder of: (caller's node, return address) -> node.
#pragma once

#include <cstddef>
#include <cstdint>

#include "kernel/vm/shared.h"
#include "kernel/vm/vm.h"
#include "wire/channel.h"

namespace mini::agent {

/// One thread's. Zero-filled memory is an empty index, so one that was wiped by a fork is empty.
///
///  I1  slots are a power of two, at most half of them in use
///
/// The nodes themselves are in memory shared with the recorder: an index only finds them again.
class StackIndex {
 public:
  /// The node; 0 where it is not known. `*place` is then where insert() puts it.
  std::uint32_t find(std::uint32_t caller, std::uint64_t pc, std::size_t* place,
                     const wire::Node* nodes) const {
    if (slots_ == nullptr) return 0;
    std::size_t at = hash(caller, pc) & mask_;
    for (;; at = (at + 1) & mask_) {
      const std::uint32_t node = slots_[at];
      if (node == 0) break;
      if (nodes[node].pc == pc && nodes[node].caller == caller) return node;
    }
    *place = at;
    return 0;
  }

  /// Makes room for one more. False where there is no memory: then nothing may be inserted.
  bool grow(const wire::Node* nodes) {
    if (slots_ != nullptr && count_ * 2 <= mask_) return true;
    const std::size_t slots = slots_ == nullptr ? kLeastSlots : (mask_ + 1) * 2;
    auto* const fresh =
        static_cast<std::uint32_t*>(kernel::vm::map_wiped_on_fork(slots * sizeof(std::uint32_t)));
    if (fresh == nullptr) return false;
    for (std::size_t i = 0; slots_ != nullptr && i <= mask_; ++i) {
      if (slots_[i] == 0) continue;
      const wire::Node& node = nodes[slots_[i]];
      std::size_t at = hash(node.caller, node.pc) & (slots - 1);
      while (fresh[at] != 0) at = (at + 1) & (slots - 1);
      fresh[at] = slots_[i];
    }
    clear_memory();
    slots_ = fresh;
    mask_ = slots - 1;
    return true;
  }

  /// REQUIRES: grow() said true, and find() said where, since.
  void insert(std::size_t place, std::uint32_t node) {
    slots_[place] = node;
    ++count_;
  }

  /// Forgets all and gives the memory back.
  void clear() {
    clear_memory();
    *this = {};
  }

 private:
  static constexpr std::size_t kLeastSlots = 1024;  // a page

  static std::size_t hash(std::uint32_t caller, std::uint64_t pc) {
    const std::uint64_t mixed = (pc ^ std::uint64_t{caller} << 40) * 0x9e37'79b9'7f4a'7c15U;
    return static_cast<std::size_t>(mixed >> 32 ^ mixed >> 15);
  }
  void clear_memory() {
    if (slots_ != nullptr) kernel::vm::unmap(slots_, (mask_ + 1) * sizeof(std::uint32_t));
  }

  std::uint32_t* slots_ = nullptr;
  std::size_t mask_ = 0;
  std::size_t count_ = 0;
};

}  // namespace mini::agent
