#include "base/seeded_hash.h"

#include <algorithm>
#include <gtest/gtest.h>

namespace mini {
namespace {

constexpr std::uint64_t kNumbers = 20'000;

template <typename Map>
std::size_t fullest_bucket(const Map& map) {
  std::size_t most = 0;
  for (std::size_t i = 0; i < map.bucket_count(); ++i) most = std::max(most, map.bucket_size(i));
  return most;
}

/// How many buckets a table of so many numbers has.
std::uint64_t bucket_count() {
  SeededMap<std::uint64_t, int> map;
  for (std::uint64_t i = 0; i < kNumbers; ++i) map[i] = 1;
  return map.bucket_count();
}

TEST(SeededHashTest, ChosenNumbersDoNotMeet) {
  const std::uint64_t step = bucket_count();
  std::unordered_map<std::uint64_t, int> plain;
  SeededMap<std::uint64_t, int> seeded;
  for (std::uint64_t i = 0; i < kNumbers; ++i) plain[i * step] = seeded[i * step] = 1;
  ASSERT_EQ(plain.bucket_count(), step);
  EXPECT_EQ(fullest_bucket(plain), kNumbers);
  EXPECT_LT(fullest_bucket(seeded), 100U);
}

TEST(SeededHashTest, IsAnotherOneInEachTable) {
  EXPECT_NE(SeededHash()(1), SeededHash()(1));
}

}  // namespace
}  // namespace mini
