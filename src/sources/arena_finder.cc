#include "sources/arena_finder.h"

#include <algorithm>

#include "recording/event.h"

namespace mini::sources {
namespace {

constexpr std::size_t kMostRegions = 1U << 16U;  // 4 TiB
// Where the first block can begin: glibc 2.26 to 2.43 have 0x8b0 to 0x8c8 bytes of headers, and up
// to 0x300 of the first thread's cache.
constexpr std::uint64_t kLeastFirst = 0x8a0;
constexpr std::uint64_t kMostFirst = 0xc80;

}  // namespace

ArenaFinder::Covered ArenaFinder::extend(Address address) {
  if ((address.value & recording::kPoolAddress) != 0) return {};
  const std::uint64_t number = address.value / kRegionBytes;
  if (regions_.size() >= kMostRegions && !regions_.contains(number)) return {};
  Region& region = regions_[number];
  const std::uint64_t offset = address.value % kRegionBytes;
  region.least_offset = std::min(region.least_offset, offset);
  region.most_offset = std::max(region.most_offset, offset);
  return {.begin = address.value - offset + region.least_offset,
          .bytes = region.most_offset - region.least_offset + 1};
}

model::ThreadArenas ArenaFinder::finish() const {
  model::ThreadArenas arenas;
  for (const auto& [number, region] : regions_) {
    const bool is_arena = region.least_offset >= kLeastFirst && region.least_offset <= kMostFirst;
    if (!is_arena) continue;
    ++arenas.count;
    arenas.extent += Bytes{region.most_offset};
  }
  return arenas;
}

}  // namespace mini::sources
