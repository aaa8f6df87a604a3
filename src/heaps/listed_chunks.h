// Which chunks of a heap are in lists of free ones, and in what kind of list: four bits for each
// place where a chunk can begin. Lists come in any order and the walk over the heap asks in the
// order of addresses, so a table needs no sorting, and an eighth of the memory of a list.
#pragma once

#include <array>
#include <cstdint>
#include <memory>

#include "base/seeded_hash.h"
#include "base/units.h"
#include "model/heap.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {

/// Memory: a leaf for 128 KiB of the heap where anything is listed, 12 KiB a chunk at most however
/// far apart they are. Not thread-safe.
class ListedChunks {
 public:
  /// As what the chunk is listed; kLive where it is not.
  model::PieceUse find(Address chunk) const {
    const Place place(chunk);
    const Leaf* const leaf = leaf_of(place);
    if (leaf == nullptr) return model::PieceUse::kLive;
    return static_cast<model::PieceUse>(((*leaf)[place.byte] >> place.shift) & kMask);
  }

  /// Lists a chunk, unless it is listed: returns as what; else kLive.
  model::PieceUse add(Address chunk, model::PieceUse use) {
    const Place place(chunk);
    std::uint8_t& byte = leaf_for(place)[place.byte];
    const unsigned before = (byte >> place.shift) & kMask;
    if (before == 0) {
      byte = static_cast<std::uint8_t>(byte | (static_cast<unsigned>(use) << place.shift));
    }
    return static_cast<model::PieceUse>(before);
  }

  /// Lists a chunk, whatever it was listed as.
  void set(Address chunk, model::PieceUse use) {
    const Place place(chunk);
    std::uint8_t& byte = leaf_for(place)[place.byte];
    byte = static_cast<std::uint8_t>((byte & ~(kMask << place.shift)) |
                                     (static_cast<unsigned>(use) << place.shift));
  }

 private:
  static constexpr unsigned kMask = 15;
  static_assert(model::kPieceUseCount <= kMask + 1);
  static_assert(static_cast<unsigned>(model::PieceUse::kLive) == 0);  // is what a table begins with
  static constexpr unsigned kLeafBits = 13;  // of the number of a place: 128 KiB of the heap
  static constexpr unsigned kAreaBits = 10;  // of the number of a leaf: 128 MiB

  using Leaf = std::array<std::uint8_t, (std::size_t{1} << kLeafBits) / 2>;
  using Area = std::array<std::unique_ptr<Leaf>, std::size_t{1} << kAreaBits>;

  struct Place {
    explicit Place(Address chunk) {
      const std::uint64_t number = chunk.value / model::kChunkAlignment.count;
      byte = (number & ((1U << kLeafBits) - 1)) / 2;
      shift = (number & 1) * 4;
      leaf = (number >> kLeafBits) & ((1U << kAreaBits) - 1);
      area = number >> (kLeafBits + kAreaBits);
    }
    std::uint64_t area;
    std::size_t leaf;
    std::size_t byte;
    unsigned shift;
  };
  /// Areas that were wanted before, by the low bits of their number.
  struct Recent {
    std::uint64_t area = UINT64_MAX;
    Area* leaves = nullptr;
  };

  const Leaf* leaf_of(const Place& place) const {
    Recent& recent = recent_[place.area % recent_.size()];
    if (recent.area != place.area) {
      const auto found = areas_.find(place.area);
      if (found == areas_.end()) return nullptr;
      recent = {place.area, found->second.get()};
    }
    return (*recent.leaves)[place.leaf].get();
  }
  Leaf& leaf_for(const Place& place) {
    Recent& recent = recent_[place.area % recent_.size()];
    if (recent.area != place.area) {
      std::unique_ptr<Area>& area = areas_[place.area];
      if (area == nullptr) area = std::make_unique<Area>();
      recent = {place.area, area.get()};
    }
    std::unique_ptr<Leaf>& leaf = (*recent.leaves)[place.leaf];
    if (leaf == nullptr) leaf = std::make_unique<Leaf>();
    return *leaf;
  }

  SeededMap<std::uint64_t, std::unique_ptr<Area>> areas_;
  mutable std::array<Recent, 16> recent_;
};

}  // namespace mini::heaps
