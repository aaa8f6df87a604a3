#include "sources/arena_finder.h"

#include <gtest/gtest.h>

namespace mini::sources {
namespace {

constexpr std::uint64_t kRegion = std::uint64_t{64} << 20;
constexpr std::uint64_t kFirst = 0x7f00'0000'0000;  // of a region

TEST(ArenaFinderTest, FindsArenasByTheirFirstBlocks) {
  ArenaFinder finder;
  finder.met(Address{kFirst + 0xb70});
  finder.met(Address{kFirst + 0x20000});
  finder.met(Address{kFirst + 5 * kRegion + 0xb70});
  EXPECT_EQ(finder.finish().count, 2U);
  EXPECT_EQ(finder.finish().extent, Bytes{0x20000 + 0xb70});
}

TEST(ArenaFinderTest, AHeapThatIsFilledFromItsBeginIsNone) {
  ArenaFinder finder;
  for (std::uint64_t at = kFirst + kRegion - 0x1000; at < kFirst + kRegion + 0x2000; at += 0x100) {
    finder.met(Address{at});
  }
  finder.met(Address{0x5555'5555'92a0});  // the first arena
  EXPECT_EQ(finder.finish().count, 0U);
}

TEST(ArenaFinderTest, ManyRegionsAreNotConfused) {
  ArenaFinder finder;
  for (int round = 0; round < 2; ++round) {
    for (std::uint64_t i = 0; i < 200; ++i) {
      finder.met(Address{kFirst + i * kRegion + (i % 2 == 0 ? 0xb70 : 0x40)});
    }
  }
  EXPECT_EQ(finder.finish().count, 100U);
}

TEST(ArenaFinderTest, AHostileRecordingHasNoMoreThanSoMany) {
  ArenaFinder finder;
  for (std::uint64_t i = 0; i < 70'000; ++i) finder.met(Address{i * kRegion + 0xb70});
  EXPECT_EQ(finder.finish().count, 65'536U);
}

}  // namespace
}  // namespace mini::sources
