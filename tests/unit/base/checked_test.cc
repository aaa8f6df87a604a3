#include "base/checked.h"

#include <gtest/gtest.h>
#include <limits>

namespace mini {
namespace {

constexpr std::uint64_t kMax = std::numeric_limits<std::uint64_t>::max();

TEST(CheckedTest, AddOverflowsIntoNothing) {
  EXPECT_EQ(checked_add<std::uint64_t>(1, 2), 3u);
  EXPECT_EQ(checked_add(kMax, std::uint64_t{0}), kMax);
  EXPECT_EQ(checked_add(kMax, std::uint64_t{1}), std::nullopt);
}

TEST(CheckedTest, MultiplyOverflowsIntoNothing) {
  EXPECT_EQ(checked_multiply<std::uint64_t>(6, 7), 42u);
  EXPECT_EQ(checked_multiply(kMax, std::uint64_t{2}), std::nullopt);
}

TEST(CheckedTest, RangeMayEndAtButNotPassTheEndOfTheAddressSpace) {
  const auto range = checked_range(Address{kMax - 15}, Bytes{15});
  ASSERT_TRUE(range.has_value());
  EXPECT_EQ(range->end, Address{kMax});
  EXPECT_EQ(checked_range(Address{kMax - 15}, Bytes{16}), std::nullopt);
}

TEST(CheckedTest, RoundUpKeepsMultiplesAndRefusesToWrap) {
  EXPECT_EQ(checked_round_up(Bytes{0}, Bytes{4096}), Bytes{0});
  EXPECT_EQ(checked_round_up(Bytes{1}, Bytes{4096}), Bytes{4096});
  EXPECT_EQ(checked_round_up(Bytes{4096}, Bytes{4096}), Bytes{4096});
  EXPECT_EQ(checked_round_up(Bytes{kMax}, Bytes{4096}), std::nullopt);
}

}  // namespace
}  // namespace mini
