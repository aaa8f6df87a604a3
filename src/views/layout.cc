#include "views/layout.h"

#include <algorithm>
#include <cstdint>
#include <functional>
#include <utility>

#include "base/text.h"

namespace mini::views {
namespace {

using model::Mapping;
using model::Role;

constexpr Bytes kLargestHole{64 * 1024};
constexpr Bytes kSmallFiles{256 * 1024};
constexpr Bytes kAnyHole{~std::uint64_t{0}};

bool is_file(const Mapping& mapping) {
  return model::is_path_of_file(mapping.path);
}

/// What bands are made by: mappings with the same label that touch share one.
std::string label_of(const Mapping& mapping) {
  const std::string_view path = mapping.path;
  if (mapping.role == Role::kProgramFile && is_file(mapping)) {
    const auto& protection = mapping.protection;
    const std::string_view segment = protection.execute ? "text"
                                     : protection.write ? "data"
                                                        : "read-only data";
    return std::string(path_basename(path)) + " " + std::string(segment);
  }
  if (is_file(mapping)) return std::string(path_basename(path));
  if (path == "[heap]") return "heap";
  if (path == "[stack]") return "stack";
  if (path == "[vdso]" || path.starts_with("[vvar")) return "vdso and vvar";
  if (path.starts_with('[')) return std::string(path.substr(1, path.rfind(']') - 1));
  if (!path.empty() && !path.starts_with('/')) return std::string(path);
  if (mapping.role == Role::kUnknown) return "anonymous";
  return std::string(model::role_name(mapping.role));
}

void add_part(Band& band, model::Protection protection, Bytes bytes) {
  const auto same = std::find_if(band.parts.begin(), band.parts.end(),
                                 [&](const BandPart& p) { return p.protection == protection; });
  if (same != band.parts.end()) {
    same->mapped_bytes += bytes;
  } else {
    band.parts.push_back({protection, bytes});
  }
}

Band band_of(const Mapping& mapping) {
  Band band;
  band.range = mapping.range;
  band.mapped_bytes = mapping.range.size();
  band.label = label_of(mapping);
  band.role = mapping.role;
  band.cause = mapping.cause;
  band.mappings_count = 1;
  add_part(band, mapping.protection, band.mapped_bytes);
  return band;
}

void absorb(Band& band, const Band& next) {
  band.range.end = next.range.end;
  band.mapped_bytes += next.mapped_bytes;
  band.mappings_count += next.mappings_count;
  for (const BandPart& part : next.parts) add_part(band, part.protection, part.mapped_bytes);
}

bool belongs_to(const Band& band, const Mapping& mapping, const Band& alone) {
  const Bytes hole = mapping.range.begin - band.range.end;
  if (mapping.role == Role::kBss && hole == Bytes{0}) return true;  // the tail of a data segment
  return band.label == alone.label && hole < kLargestHole;
}

/// Small data files side by side, a locale's or a font's, are one thing to a reader.
bool are_small_data_files(const Band& band, const Band& next) {
  const auto is_one = [](const Band& b) {
    return b.role == Role::kDataFile && b.mapped_bytes < kSmallFiles;
  };
  return is_one(band) && is_one(next) && next.range.begin - band.range.end < kLargestHole;
}

bool keeps_its_own(const Band& band) {
  return band.role == Role::kProgramFile || band.role == Role::kHeap ||
         band.role == Role::kMainStack;
}

/// Runs of bands too small to be among the largest become one band each, if no hole between them
/// reaches `hole_limit`.
std::vector<Band> merge_smallest(std::vector<Band> bands, std::size_t max_bands, Bytes hole_limit) {
  if (bands.size() <= max_bands) return bands;
  std::vector<Bytes> sizes;
  for (const Band& band : bands) {
    if (!keeps_its_own(band)) sizes.push_back(band.mapped_bytes);
  }
  if (sizes.empty()) return bands;
  // Between two bands that stay there may be a merged one, so half of the places are for those.
  const std::size_t large_count = std::min(max_bands / 2, sizes.size() - 1);
  const auto at = sizes.begin() + static_cast<std::ptrdiff_t>(large_count);
  std::nth_element(sizes.begin(), at, sizes.end(), std::greater<>());
  const Bytes largest_small = *at;
  std::vector<Band> merged;
  bool last_is_small = false;
  for (Band& band : bands) {
    const bool small = !keeps_its_own(band) && band.mapped_bytes <= largest_small;
    if (small && last_is_small && band.range.begin - merged.back().range.end < hole_limit) {
      absorb(merged.back(), band);
      merged.back().things_count += band.things_count;
    } else {
      merged.push_back(std::move(band));
    }
    last_is_small = small;
  }
  return merged;
}

}  // namespace

Layout make_layout(const std::vector<Mapping>& mappings, std::optional<Address> program_break,
                   std::size_t max_bands) {
  Layout layout;
  layout.program_break = program_break;
  std::vector<Band> bands;
  for (const Mapping& mapping : mappings) {
    Band alone = band_of(mapping);
    layout.mapped_bytes += alone.mapped_bytes;
    if (!bands.empty() && belongs_to(bands.back(), mapping, alone)) {
      absorb(bands.back(), alone);
    } else if (!bands.empty() && are_small_data_files(bands.back(), alone)) {
      absorb(bands.back(), alone);
      ++bands.back().things_count;
    } else {
      bands.push_back(std::move(alone));
    }
  }
  bands = merge_smallest(std::move(bands), max_bands, kMiB * 64);
  if (bands.size() > 2 * max_bands) bands = merge_smallest(std::move(bands), max_bands, kAnyHole);
  layout.bands = std::move(bands);
  return layout;
}

}  // namespace mini::views
