// A few runs of pages, and quick answers to which of them is long enough or touches another.
#pragma once

#include <algorithm>
#include <array>
#include <bit>
#include <cstdint>
#include <cstring>

#include "alloc/pages.h"

namespace mini::alloc {

/// Each run is in a slot, the first that was free. A question looks at all slots up to the last one
/// that is used, eight by eight, by vector instructions: of such a loop over numbers, compilers
/// make a branch a slot.
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
    last_ = slot;
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

  /// The shortest run of at least so many pages, or kNone. REQUIRES: at least one.
  std::uint32_t shortest(PageCount least) const {
    if (run(last_).count == least) return last_;  // a buffer like the one before
    if (least > kLongest) return kNone;
    // Modulo 2^16, what is too short is further away than all that is long enough. Less 2^15, since
    // the least of signed numbers is one instruction.
    const auto wanted = static_cast<std::uint16_t>(least.count << kSlotBits);
    Distances nearest = Distances{} + INT16_MAX;
    for (std::uint32_t group = 0; group < end_of_used(); group += kGroup) {
      const Keys further =
          load<Keys>(&keys_[group]) - static_cast<std::uint16_t>(wanted + kSignBit);
      const auto distances = std::bit_cast<Distances>(further);
      nearest = distances < nearest ? distances : nearest;
    }
    const std::uint32_t key = std::uint32_t{least_of(nearest)} + wanted;
    return key > UINT16_MAX ? kNone : key % kSlots;
  }

  /// The slots of the runs that end where another begins, and begin where it ends, or kNone.
  struct Neighbours {
    std::uint32_t before = kNone;
    std::uint32_t after = kNone;
  };
  Neighbours neighbours(PageRun run) const {
    if (is_empty()) return {};
    const std::uint32_t first = run.first.value + 1;
    const std::uint32_t end = run.end().value + 1;
    // By L1 one slot at the most is either: its number plus one.
    constexpr std::uint32_t kAfter = 16;
    Numbers numbers = {1, 2, 3, 4};
    Numbers found{};
    for (std::uint32_t i = 0; i < end_of_used(); i += kGroup / 2) {
      found |= (load<Numbers>(&ends_[i]) == first) & numbers;
      found |= (load<Numbers>(&firsts_[i]) == end) & numbers << kAfter;
      numbers += kGroup / 2;
    }
    const std::uint32_t all = found[0] | found[1] | found[2] | found[3];
    const auto slot = [](std::uint32_t number) { return number != 0 ? number - 1 : kNone; };
    return {.before = slot(all & ((1U << kAfter) - 1)), .after = slot(all >> kAfter)};
  }

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
  static constexpr std::uint32_t kGroup = 8;
  static constexpr std::uint32_t kSignBit = std::uint32_t{1} << 15;
  static constexpr std::uint32_t kAll = UINT32_MAX;
  using Pages = std::array<std::uint32_t, kSlots>;
  using Keys [[gnu::vector_size(16)]] = std::uint16_t;
  using Distances [[gnu::vector_size(16)]] = std::int16_t;
  using Numbers [[gnu::vector_size(16)]] = std::uint32_t;

  template <typename Vector>
  static Vector load(const void* numbers) {
    Vector vector;
    std::memcpy(&vector, numbers, sizeof vector);
    return vector;
  }
  /// The least of eight distances, and what was taken from all of them added again.
  static std::uint16_t least_of(Distances all) {
    const Distances halves = __builtin_shufflevector(all, all, 4, 5, 6, 7, 0, 1, 2, 3);
    all = halves < all ? halves : all;
    const Distances quarters = __builtin_shufflevector(all, all, 2, 3, 0, 1, 4, 5, 6, 7);
    all = quarters < all ? quarters : all;
    const auto least = static_cast<std::uint32_t>(std::min<int>(all[0], all[1]));
    return static_cast<std::uint16_t>(least + kSignBit);
  }

  std::uint32_t end_of_used() const {
    return kSlots - static_cast<std::uint32_t>(std::countl_zero(used_));
  }

  alignas(64) std::array<std::uint16_t, kSlots> keys_{};  // pages << kSlotBits | slot
  Pages firsts_{};
  Pages ends_{};
  std::uint32_t used_ = 0;  // a bit for each slot
  std::uint32_t last_ = 0;  // slot that was added
};

}  // namespace mini::alloc
