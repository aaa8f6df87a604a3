#include "model/resident_map.h"

#include <algorithm>

namespace mini::model {

Bytes ResidentMap::resident_of_runs(AddressRange range) const {
  seek(range.begin);
  Bytes sum;
  for (std::size_t i = at_; i < runs_.size() && runs_[i].begin < range.end; ++i) {
    const Address begin = std::max(runs_[i].begin, range.begin);
    const Address end = std::min(runs_[i].end, range.end);
    if (begin < end) sum += end - begin;
  }
  return sum;
}

/// The first run that ends behind `begin`.
void ResidentMap::seek(Address begin) const {
  constexpr std::size_t kNear = 4;
  const bool is_before = at_ > 0 && runs_[at_ - 1].end > begin;
  for (std::size_t i = 0; !is_before && i < kNear; ++i) {
    if (at_ == runs_.size() || runs_[at_].end > begin) return;
    ++at_;
  }
  const auto found = std::ranges::upper_bound(runs_, begin, {}, &AddressRange::end);
  at_ = static_cast<std::size_t>(found - runs_.begin());
}

}  // namespace mini::model
