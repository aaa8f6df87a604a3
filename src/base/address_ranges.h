// Sets of addresses: ranges by address, disjoint.
#pragma once

#include <algorithm>
#include <span>
#include <vector>

#include "base/units.h"

namespace mini {

/// Ranges in any order as such a set: those that overlap or touch are one.
inline std::vector<AddressRange> merged(std::vector<AddressRange> ranges) {
  std::ranges::sort(ranges, {}, &AddressRange::begin);
  std::vector<AddressRange> out;
  for (const AddressRange& range : ranges) {
    if (!out.empty() && range.begin <= out.back().end) {
      out.back().end = std::max(out.back().end, range.end);
    } else {
      out.push_back(range);
    }
  }
  return out;
}

/// What two such sets have in common.
inline std::vector<AddressRange> intersection(std::span<const AddressRange> a,
                                              std::span<const AddressRange> b) {
  std::vector<AddressRange> out;
  for (std::size_t i = 0, j = 0; i < a.size() && j < b.size();) {
    const AddressRange both{std::max(a[i].begin, b[j].begin), std::min(a[i].end, b[j].end)};
    if (both.begin < both.end) out.push_back(both);
    a[i].end < b[j].end ? ++i : ++j;
  }
  return out;
}

}  // namespace mini
