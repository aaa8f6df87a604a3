// Which pages of an address space have memory, as sorted runs.
#pragma once

#include <cstddef>
#include <utility>
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
    const bool is_within = at_ < runs_.size() && runs_[at_].contains(range);
    return is_within ? range.size() : resident_of_runs(range);
  }

  const std::vector<AddressRange>& runs() const { return runs_; }

 private:
  Bytes resident_of_runs(AddressRange range) const;
  void seek(Address begin) const;

  std::vector<AddressRange> runs_;
  mutable std::size_t at_ = 0;
};

}  // namespace mini::model
