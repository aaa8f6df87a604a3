// Code address → unwind row, for one address space: the one look-up of a cached frame's step.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "unwind/unwind_row.h"

namespace mini::unwind {

/// Open addressing over cache-line slots; a row is copied in, so a hit touches one line. Bounded:
/// past kMaxEntries (8 MiB of slots) it starts anew, which a program of ordinary size never
/// reaches.
class PcCache {
 public:
  static constexpr std::size_t kMaxEntries = 1 << 16;

  /// nullptr where the address is not cached. Valid until the next insert.
  const UnwindRow* find(std::uint64_t address) const {
    if (slots_.empty()) return nullptr;
    for (std::size_t i = index_of(address);; i = (i + 1) & (slots_.size() - 1)) {
      if (slots_[i].address == address && slots_[i].used) return &slots_[i].row;
      if (!slots_[i].used) return nullptr;
    }
  }

  /// REQUIRES: `address` is not in the cache.
  const UnwindRow* insert(std::uint64_t address, const UnwindRow& row) {
    if (count_ == kMaxEntries) clear();
    if (2 * (count_ + 1) > slots_.size()) grow();
    ++count_;
    return place(address, row);
  }

  void clear() {
    slots_.clear();
    count_ = 0;
  }

 private:
  struct alignas(64) Slot {
    UnwindRow row;
    std::uint64_t address = 0;
    bool used = false;
  };
  static_assert(sizeof(Slot) == 64);
  static constexpr std::size_t kFirstSlots = 256;

  std::size_t index_of(std::uint64_t address) const {
    return static_cast<std::size_t>((address * 0x9e3779b97f4a7c15U) >> 32) & (slots_.size() - 1);
  }
  const UnwindRow* place(std::uint64_t address, const UnwindRow& row) {
    std::size_t i = index_of(address);
    while (slots_[i].used) i = (i + 1) & (slots_.size() - 1);
    slots_[i] = {row, address, true};
    return &slots_[i].row;
  }
  void grow() {
    std::vector<Slot> old(slots_.empty() ? kFirstSlots : slots_.size() * 2);
    old.swap(slots_);
    for (const Slot& slot : old) {
      if (slot.used) place(slot.address, slot.row);
    }
  }

  std::vector<Slot> slots_;  // a power of two, at most half full
  std::size_t count_ = 0;
};

}  // namespace mini::unwind
