// Finds the slot of an address among those of one events block.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "recording/prediction.h"

namespace mini::recording {

/// Open addressing, half full at most: kMaxEvents slots in twice as many places.
class AddressTable {
 public:
  AddressTable() : places_(kPlaces) {}

  /// Cost: 256 KiB to be zeroed.
  void clear() { std::fill(places_.begin(), places_.end(), 0); }

  /// 0 where there is none.
  SlotNumber find(const Prediction& prediction, std::uint64_t address) const {
    for (std::size_t place = home(address);; place = (place + 1) % kPlaces) {
      const SlotNumber slot = places_[place];
      if (slot == 0 || prediction.address(slot) == address) return slot;
    }
  }

  /// REQUIRES: the address has no slot in the table.
  void add(std::uint64_t address, SlotNumber slot) {
    std::size_t place = home(address);
    while (places_[place] != 0) place = (place + 1) % kPlaces;
    places_[place] = slot;
  }

 private:
  static constexpr unsigned kBits = 17;
  static constexpr std::size_t kPlaces = std::size_t{1} << kBits;

  static std::size_t home(std::uint64_t address) {
    return static_cast<std::size_t>((address * 0x9E3779B97F4A7C15U) >> (64 - kBits));
  }

  std::vector<SlotNumber> places_;
};

}  // namespace mini::recording
