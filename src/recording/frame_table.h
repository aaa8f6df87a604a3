// Gives the same number to the same frame.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "recording/event.h"

namespace mini::recording {

/// Frames numbered from 1. Open addressing, at most half full; 8 to 16 bytes a frame, beside the
/// frame. A find costs about 10 ns, one miss of the cache in large tables.
class FrameTable {
 public:
  FrameTable() : places_(kFirstPlaces) {}

  std::uint32_t count() const { return static_cast<std::uint32_t>(frames_.size()); }
  /// REQUIRES: 0 < number <= count().
  const FrameFacts& operator[](std::uint32_t number) const { return frames_[number - 1]; }

  std::uint32_t find_or_add(const FrameFacts& frame) {
    std::size_t place = home(frame);
    for (; places_[place] != 0; place = next(place)) {
      if (frames_[places_[place] - 1] == frame) return places_[place];
    }
    frames_.push_back(frame);
    places_[place] = count();
    if (frames_.size() * 2 > places_.size()) grow();
    return count();
  }

 private:
  static constexpr std::size_t kFirstPlaces = 1024;

  // The high bits of the hash are the good ones.
  std::size_t home(const FrameFacts& frame) const {
    const std::uint64_t key = frame.address + (std::uint64_t{frame.module} << 48U);
    return static_cast<std::size_t>(key * 0x9E3779B97F4A7C15U >> 20U) & (places_.size() - 1);
  }
  std::size_t next(std::size_t place) const { return (place + 1) & (places_.size() - 1); }

  void grow() {
    places_.assign(places_.size() * 2, 0);
    for (std::uint32_t number = 1; number <= count(); ++number) {
      std::size_t place = home(frames_[number - 1]);
      while (places_[place] != 0) place = next(place);
      places_[place] = number;
    }
  }

  std::vector<FrameFacts> frames_;
  std::vector<std::uint32_t> places_;  // 0: free
};

}  // namespace mini::recording
