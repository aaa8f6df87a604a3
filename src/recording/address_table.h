// Finds the slot of an address among those of one events block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "recording/prediction.h"

namespace mini::recording {

/// Open addressing, a quarter full at most. As large as the largest block needed so far: a program
/// that uses few addresses again and again has a table that stays in the nearest cache.
class AddressTable {
 public:
  AddressTable() : places_(std::size_t{1} << kLeastBits) {}

  void clear() {
    std::fill(places_.begin(), places_.end(), SlotNumber{0});
    count_ = 0;
  }

  /// 0 where there is none.
  SlotNumber find(const Prediction& prediction, std::uint64_t address) const {
    std::size_t place = home(address);
    SlotNumber slot = places_[place];
    while (prediction.address(slot) != address && slot != 0) [[unlikely]] {
      place = next(place);
      slot = places_[place];
    }
    return slot;
  }

  /// REQUIRES: the address is the slot's, and has none in the table.
  void add(const Prediction& prediction, std::uint64_t address, SlotNumber slot) {
    if (++count_ > places_.size() / 4) grow(prediction);
    put(address, slot);
  }

 private:
  static constexpr unsigned kLeastBits = 12;

  std::size_t home(std::uint64_t address) const {
    return static_cast<std::size_t>((address * 0x9E3779B97F4A7C15U) >> shift_);
  }
  std::size_t next(std::size_t place) const { return (place + 1) & (places_.size() - 1); }

  void put(std::uint64_t address, SlotNumber slot) {
    std::size_t place = home(address);
    while (places_[place] != 0) place = next(place);
    places_[place] = slot;
  }

  void grow(const Prediction& prediction) {
    std::vector<SlotNumber> old(places_.size() * 2);
    old.swap(places_);
    --shift_;
    for (const SlotNumber slot : old) {
      if (slot != 0) put(prediction.address(slot), slot);
    }
  }

  std::vector<SlotNumber> places_;
  unsigned shift_ = 64 - kLeastBits;
  std::size_t count_ = 0;
};

}  // namespace mini::recording
