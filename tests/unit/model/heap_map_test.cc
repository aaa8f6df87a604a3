#include "model/heap_map.h"

#include <gtest/gtest.h>
#include <numeric>

namespace mini::model {
namespace {

constexpr std::uint64_t kPage = 4096;

AddressRange range(std::uint64_t from, std::uint64_t to) {
  return {Address{from}, Address{to}};
}

void add(HeapMap& map, std::uint64_t from, std::uint64_t to, PieceUse use = PieceUse::kLive) {
  map.piece({.range = range(from, to), .use = use, .arena = 0});
}

TEST(HeapMapTest, SpreadsPiecesOverUnits) {
  HeapMap map;
  map.begin_region({range(100, 3 * kPage), 0});
  add(map, 100, kPage + 50);
  add(map, kPage + 50, 2 * kPage, PieceUse::kSmallbin);
  add(map, 2 * kPage, 3 * kPage);
  ASSERT_EQ(map.regions().size(), 1U);
  EXPECT_EQ(map.regions()[0].live, (std::vector<std::uint64_t>{kPage - 100, 50, kPage}));
}

TEST(HeapMapTest, KeepsOnlyWhatIsAskedFor) {
  HeapMap map(range(kPage, 2 * kPage));
  map.begin_region({range(0, 3 * kPage), 0});
  add(map, 0, 3 * kPage);
  map.begin_region({range(5 * kPage, 6 * kPage), 0});
  add(map, 5 * kPage, 6 * kPage);
  ASSERT_EQ(map.regions().size(), 1U);
  EXPECT_EQ(map.regions()[0].range, range(kPage, 2 * kPage));
  EXPECT_EQ(map.regions()[0].live, (std::vector<std::uint64_t>{kPage}));
}

TEST(HeapMapTest, StaysBoundedAndLosesNothing) {
  HeapMap map;
  std::uint64_t live = 0;
  for (std::uint64_t i = 0; i < 5; ++i) {
    const std::uint64_t begin = (i << 40U) + kPage * i;
    map.begin_region({range(begin, begin + (std::uint64_t{3} << 32U)), 0});
    for (std::uint64_t at = begin; at < begin + (1 << 24); at += 3 * kPage) {
      add(map, at, at + 1000);
      live += 1000;
    }
  }
  std::size_t units = 0;
  std::uint64_t sum = 0;
  for (const MapRegion& region : map.regions()) {
    units += region.live.size();
    sum = std::accumulate(region.live.begin(), region.live.end(), sum);
  }
  EXPECT_LE(units, HeapMap::kMostUnits);
  EXPECT_GT(map.unit(), Bytes{kPage});
  EXPECT_EQ(sum, live);
}

TEST(HeapMapTest, ARegionAsLargeAsTheAddressSpaceIsNoHarm) {
  HeapMap map;
  map.begin_region({range(16, UINT64_MAX), 0});
  add(map, 16, UINT64_MAX);
  EXPECT_LE(map.regions()[0].live.size(), HeapMap::kMostUnits);
}

}  // namespace
}  // namespace mini::model
