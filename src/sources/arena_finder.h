// Finds the arenas of glibc's malloc by where blocks lie. Each but the first begins a region of
// 64 MiB with headers (heap_info, malloc_state), of which no block is a part; the first block that
// a thread has there follows them, and its cache. Other allocators, and the first arena, fill their
// memory from its begin on.
#pragma once

#include <array>
#include <cstdint>

#include "base/seeded_hash.h"
#include "base/units.h"
#include "model/heap_profile.h"

namespace mini::sources {

class ArenaFinder {
 public:
  ArenaFinder() = default;
  ArenaFinder(const ArenaFinder&) = delete;
  ArenaFinder(ArenaFinder&&) = default;
  ArenaFinder& operator=(const ArenaFinder&) = delete;
  ArenaFinder& operator=(ArenaFinder&&) = default;
  ~ArenaFinder() = default;

  /// There is a block, or was. One of a pool changes nothing.
  void met(Address address) {
    // Most blocks begin where others of the same region lay.
    Covered& covered = covered_[address.value / kRegionBytes % covered_.size()];
    if (address.value - covered.begin >= covered.bytes) [[unlikely]]
      covered = extend(address);
  }

  model::ThreadArenas finish() const;

 private:
  static constexpr std::uint64_t kRegionBytes = std::uint64_t{64} << 20;

  struct Region {
    std::uint64_t least_offset = UINT64_MAX;
    std::uint64_t most_offset = 0;
  };
  /// From the first block of a region up to its last one.
  struct Covered {
    std::uint64_t begin = 0;
    std::uint64_t bytes = 0;
  };

  Covered extend(Address address);

  SeededMap<std::uint64_t, Region> regions_;
  std::array<Covered, 16> covered_{};
};

}  // namespace mini::sources
