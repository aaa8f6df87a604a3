// From the numbers that a recording gives to positions of ours.
//
// A sound recording counts from 1, which a vector holds. A damaged or hostile one may name any
// number: one far beyond those that were defined goes into a map, so that memory stays in
// proportion to what was defined.
#pragma once

#include <cstdint>
#include <vector>

#include "base/seeded_hash.h"

namespace mini::sources {

class NumberIndex {
 public:
  /// The position that was given to a number; 0 where none was.
  std::uint32_t find(std::uint32_t number) const {
    if (number < near_count_) [[likely]]
      return near_[number];
    if (far_.empty()) return 0;
    const auto found = far_.find(number);
    return found == far_.end() ? 0 : found->second;
  }

  /// The first definition of a number holds. REQUIRES: position != 0.
  void define(std::uint32_t number, std::uint32_t position) {
    if (find(number) != 0) return;
    ++defined_count_;
    if (number < kSlack + 2 * defined_count_) {
      if (number >= near_count_) near_.resize(near_count_ = number + std::uint64_t{1});
      near_[number] = position;
    } else {
      far_.emplace(number, position);
    }
  }

 private:
  static constexpr std::uint64_t kSlack = 4096;

  std::vector<std::uint32_t> near_;
  std::uint64_t near_count_ = 0;  // of near_, which a vector knows in bytes
  SeededMap<std::uint32_t, std::uint32_t> far_;
  std::uint64_t defined_count_ = 0;
};

}  // namespace mini::sources
