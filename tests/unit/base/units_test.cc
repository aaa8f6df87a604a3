#include "base/units.h"

#include <gtest/gtest.h>

namespace mini {
namespace {

constexpr AddressRange kRange{Address{0x1000}, Address{0x3000}};

TEST(AddressRangeTest, HoldsItsBeginAndNotItsEnd) {
  EXPECT_TRUE(kRange.contains(Address{0x1000}));
  EXPECT_TRUE(kRange.contains(Address{0x2fff}));
  EXPECT_FALSE(kRange.contains(Address{0x3000}));
  EXPECT_EQ(kRange.size(), Bytes{0x2000});
}

TEST(AddressRangeTest, NeighboursDoNotOverlap) {
  EXPECT_FALSE(kRange.overlaps({Address{0x3000}, Address{0x4000}}));
  EXPECT_TRUE(kRange.overlaps({Address{0x2fff}, Address{0x4000}}));
  EXPECT_TRUE(kRange.contains(AddressRange{Address{0x2000}, Address{0x3000}}));
}

}  // namespace
}  // namespace mini
