// Which pages of an address space have memory, as sorted runs.
#pragma once

#include <algorithm>
#include <vector>

#include "base/units.h"

namespace mini::model {

class ResidentMap {
 public:
  ResidentMap() = default;
  /// REQUIRES: sorted and disjoint.
  explicit ResidentMap(std::vector<AddressRange> runs) : runs_(std::move(runs)) {}

  /// How much of a range has memory. Quick where it begins not far after the one asked for before.
  Bytes resident(AddressRange range) const {
    seek(range.begin);
    Bytes sum;
    for (std::size_t i = at_; i < runs_.size() && runs_[i].begin < range.end; ++i) {
      const Address begin = std::max(runs_[i].begin, range.begin);
      const Address end = std::min(runs_[i].end, range.end);
      if (begin < end) sum += end - begin;
    }
    return sum;
  }

  const std::vector<AddressRange>& runs() const { return runs_; }

 private:
  /// The first run that ends behind `begin`.
  void seek(Address begin) const {
    constexpr std::size_t kNear = 4;
    const bool is_before = at_ > 0 && runs_[at_ - 1].end > begin;
    for (std::size_t i = 0; !is_before && i < kNear; ++i) {
      if (at_ == runs_.size() || runs_[at_].end > begin) return;
      ++at_;
    }
    const auto found = std::ranges::upper_bound(runs_, begin, {}, &AddressRange::end);
    at_ = static_cast<std::size_t>(found - runs_.begin());
  }

  std::vector<AddressRange> runs_;
  mutable std::size_t at_ = 0;
};

}  // namespace mini::model
