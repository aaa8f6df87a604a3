#include "model/heap_map.h"

#include <algorithm>

namespace mini::model {
namespace {

/// Adds to each unit what of the range is in it.
void spread(AddressRange range, Bytes unit, std::uint64_t first, std::vector<std::uint64_t>& out) {
  for (Address at = range.begin; at < range.end;) {
    const std::uint64_t number = at.value / unit.count;
    const std::uint64_t left = unit.count - at.value % unit.count;
    const std::uint64_t count = std::min(left, (range.end - at).count);
    out[number - first] += count;
    at = at + Bytes{count};
  }
}

}  // namespace

std::size_t HeapMap::units_of(AddressRange range) const {
  return range.empty() ? 0 : number_of(range.end - Bytes{1}) - number_of(range.begin) + 1;
}

void HeapMap::begin_region(const HeapRegion& region) {
  AddressRange range = region.range;
  if (only_) {
    range = {std::max(range.begin, only_->begin), std::min(range.end, only_->end)};
  }
  is_inside_ = range.begin < range.end;
  if (!is_inside_) return;
  // The unit grows first: a region may be as large as a target says.
  while (units_ + units_of(range) > std::max(kMostUnits, 2 * regions_.size() + 2)) double_unit();
  units_ += units_of(range);
  regions_.push_back(
      {.range = range, .arena = region.arena, .live = std::vector<std::uint64_t>(units_of(range))});
}

void HeapMap::piece(const HeapPiece& piece) {
  if (!is_inside_ || piece.use != PieceUse::kLive) return;
  MapRegion& region = regions_.back();
  const AddressRange part{std::max(piece.range.begin, region.range.begin),
                          std::min(piece.range.end, region.range.end)};
  if (part.begin < part.end) spread(part, unit_, number_of(region.range.begin), region.live);
}

void HeapMap::double_unit() {
  units_ = 0;
  for (MapRegion& region : regions_) {
    const std::uint64_t first = number_of(region.range.begin);
    std::vector<std::uint64_t> live((first + region.live.size() - 1) / 2 - first / 2 + 1);
    for (std::size_t i = 0; i < region.live.size(); ++i) {
      live[(first + i) / 2 - first / 2] += region.live[i];
    }
    region.live = std::move(live);
    units_ += region.live.size();
  }
  unit_ = unit_ * 2;
}

}  // namespace mini::model
