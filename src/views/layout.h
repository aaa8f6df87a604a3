// An address space cut into bands, few enough to draw: one a library, one a purpose.
//
//  B1  bands are sorted and disjoint
//  B2  the sum of their mapped_bytes == Layout::mapped_bytes == the sum of the mappings' sizes
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/units.h"
#include "model/mapping.h"

namespace mini::views {

/// All of a band that has one protection.
struct BandPart {
  model::Protection protection;
  Bytes mapped_bytes;
};

struct Band {
  AddressRange range;  // holes of less than 64 KiB within one file's or purpose's mappings included
  Bytes mapped_bytes;
  std::string label;  // "libc.so.6", "heap", "thread stack"
  model::Role role = model::Role::kUnknown;
  model::Cause cause = model::Cause::kUnknown;  // who made its first mapping
  std::uint64_t mappings_count = 0;
  std::uint64_t things_count = 1;  // files or purposes in it: more than one where bands were merged
  std::vector<BandPart> parts;     // in the order of their first appearance
};

struct Layout {
  std::vector<Band> bands;
  std::optional<Address> program_break;
  Bytes mapped_bytes;
};

inline constexpr std::size_t kDefaultMaxBands = 48;

/// REQUIRES: `mappings` sorted and disjoint. Where there would be more than `max_bands`, the
/// smallest neighbours share one; the program, the heap and the main stack keep theirs.
/// Cost: n log n in the mappings.
Layout make_layout(const std::vector<model::Mapping>& mappings,
                   std::optional<Address> program_break, std::size_t max_bands = kDefaultMaxBands);

}  // namespace mini::views
