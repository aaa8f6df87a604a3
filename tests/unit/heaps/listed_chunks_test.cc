#include "heaps/listed_chunks.h"

#include <gtest/gtest.h>
#include <map>
#include <random>

namespace mini::heaps {
namespace {

using model::PieceUse;

TEST(ListedChunksTest, WhatIsNotListedIsLive) {
  ListedChunks listed;
  EXPECT_EQ(listed.find(Address{0x1000}), PieceUse::kLive);
  EXPECT_EQ(listed.add(Address{0x1000}, PieceUse::kFastbin), PieceUse::kLive);
  EXPECT_EQ(listed.find(Address{0x1000}), PieceUse::kFastbin);
  EXPECT_EQ(listed.find(Address{0xff0}), PieceUse::kLive);  // neighbours, in the same byte and not
  EXPECT_EQ(listed.find(Address{0x1010}), PieceUse::kLive);
}

TEST(ListedChunksTest, TheFirstListThatAChunkIsInStays) {
  ListedChunks listed;
  listed.add(Address{0x1000}, PieceUse::kFastbin);
  EXPECT_EQ(listed.add(Address{0x1000}, PieceUse::kCached), PieceUse::kFastbin);
  EXPECT_EQ(listed.find(Address{0x1000}), PieceUse::kFastbin);
  listed.set(Address{0x1000}, PieceUse::kAllocator);
  EXPECT_EQ(listed.find(Address{0x1000}), PieceUse::kAllocator);
}

// Near each other and as far apart as addresses are, so that each level of the table is crossed.
TEST(ListedChunksTest, AgreesWithAMap) {
  ListedChunks listed;
  std::map<std::uint64_t, PieceUse> expected;
  std::mt19937_64 random(1);
  for (int i = 0; i < 20'000; ++i) {
    const std::uint64_t far = random() << (random() % 2 == 0 ? 44 : 20);
    const std::uint64_t at = (far + random() % 0x4000) & ~std::uint64_t{15};
    const auto use = static_cast<PieceUse>(1 + random() % (model::kPieceUseCount - 1));
    const auto [place, is_new] = expected.try_emplace(at, use);
    EXPECT_EQ(listed.add(Address{at}, use), is_new ? PieceUse::kLive : place->second);
  }
  for (const auto& [at, use] : expected) {
    ASSERT_EQ(listed.find(Address{at}), use);
    if (!expected.contains(at + 16)) {
      ASSERT_EQ(listed.find(Address{at + 16}), PieceUse::kLive);
    }
  }
}

}  // namespace
}  // namespace mini::heaps
