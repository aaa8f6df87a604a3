// A few runs of pages, and quick answers to which of them is long enough or touches another.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>

#include "alloc/pages.h"

namespace mini::alloc {

/// Each run is in a slot. A question looks at all slots, without a branch: the loops are of fixed
/// length, and become some vector instructions.
///
///  L1  no two runs overlap
///  L2  of a free slot all numbers are 0; page numbers are kept plus one
class KeptRuns {
 public:
  static constexpr std::uint32_t kSlots = 32;
  static constexpr std::uint32_t kNone = kSlots;
  static constexpr PageCount kLongest{(1U << 11) - 1};

  bool is_empty() const { return used_ == 0; }
  bool is_full() const { return used_ == kAll; }
  std::uint32_t count() const { return static_cast<std::uint32_t>(std::popcount(used_)); }
  PageRun run(std::uint32_t slot) const {
    return {{firsts_[slot] - 1}, PageCount{std::uint32_t{keys_[slot]} >> kSlotBits}};
  }

  /// Returns the slot. REQUIRES: not full, no longer than kLongest.
  std::uint32_t add(PageRun run) {
    const auto slot = static_cast<std::uint32_t>(std::countr_one(used_));
    used_ |= std::uint32_t{1} << slot;
    set(slot, run);
    return slot;
  }
  void remove(std::uint32_t slot) {
    used_ &= ~(std::uint32_t{1} << slot);
    keys_[slot] = 0;
    firsts_[slot] = ends_[slot] = 0;
  }
  /// REQUIRES: used; the new run is part of the old one.
  void set(std::uint32_t slot, PageRun run) {
    keys_[slot] = static_cast<std::uint16_t>(run.count.count << kSlotBits | slot);
    firsts_[slot] = run.first.value + 1;
    ends_[slot] = run.end().value + 1;
  }

  /// The shortest run of at least so many pages, or kNone.
  std::uint32_t shortest(PageCount least) const {
    if (least > kLongest) return kNone;
    // Modulo 2^16, what is too short is further away than all that is long enough.
    const auto wanted = static_cast<std::uint16_t>(least.count << kSlotBits);
    std::uint16_t nearest = UINT16_MAX;
    for (const std::uint16_t key : keys_) {
      nearest = std::min(nearest, static_cast<std::uint16_t>(key - wanted));
    }
    const std::uint32_t key = std::uint32_t{nearest} + wanted;
    return key > UINT16_MAX ? kNone : key % kSlots;
  }
  std::uint32_t beginning_at(PageIndex page) const { return slot_of(firsts_, page); }
  std::uint32_t ending_at(PageIndex page) const { return slot_of(ends_, page); }
  /// REQUIRES: not empty.
  std::uint32_t highest() const {
    return static_cast<std::uint32_t>(std::ranges::max_element(firsts_) - firsts_.begin());
  }
  bool has(PageIndex page) const {
    bool found = false;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      found = found || (firsts_[slot] <= page.value + 1 && page.value + 1 < ends_[slot]);
    }
    return found;
  }

 private:
  static constexpr std::uint32_t kSlotBits = 5;
  static constexpr std::uint32_t kAll = UINT32_MAX;
  using Pages = std::array<std::uint32_t, kSlots>;

  // By L1 one slot at the most says yes.
  static std::uint32_t slot_of(const Pages& pages, PageIndex page) {
    std::uint32_t found = 0;
    for (std::uint32_t slot = 0; slot < kSlots; ++slot) {
      found |= pages[slot] == page.value + 1 ? slot + 1 : 0;
    }
    return found != 0 ? found - 1 : kNone;
  }

  alignas(64) std::array<std::uint16_t, kSlots> keys_{};  // pages << kSlotBits | slot
  Pages firsts_{};
  Pages ends_{};
  std::uint32_t used_ = 0;  // a bit for each slot
};

}  // namespace mini::alloc
