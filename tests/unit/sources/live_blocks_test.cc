// The table of live blocks against std::map, on random operations, and its own invariants.
#include "sources/live_blocks.h"

#include <gtest/gtest.h>
#include <map>
#include <random>

namespace mini::sources {
namespace {

void expect_same(const std::optional<LiveBlock>& got, const LiveBlock& expected) {
  ASSERT_TRUE(got.has_value());
  EXPECT_EQ(got->time_ns, expected.time_ns);
  EXPECT_EQ(got->bytes, expected.bytes);
  EXPECT_EQ(got->blocks, expected.blocks);
  EXPECT_EQ(got->stack, expected.stack);
  EXPECT_EQ(got->cell, expected.cell);
  EXPECT_EQ(got->has_usable_size, expected.has_usable_size);
}

LiveBlock random_block(std::mt19937_64& random) {
  return {.time_ns = random() & LiveBlocks::kMostTimeNs,
          .bytes = random() & LiveBlocks::kMostBytes,
          .blocks = 1 + static_cast<std::uint32_t>(random() % LiveBlocks::kMostBlocks),
          .stack = static_cast<std::uint32_t>(random()),
          .cell = static_cast<std::uint32_t>(random()) & LiveBlocks::kMostCell,
          .has_usable_size = random() % 2 == 0};
}

TEST(LiveBlocksTest, HoldsTheLargestOfEachValue) {
  LiveBlocks blocks;
  const LiveBlock block{.time_ns = LiveBlocks::kMostTimeNs,
                        .bytes = LiveBlocks::kMostBytes,
                        .blocks = LiveBlocks::kMostBlocks,
                        .stack = UINT32_MAX,
                        .cell = LiveBlocks::kMostCell,
                        .has_usable_size = true};
  blocks.put(Address{UINT64_MAX}, block);
  expect_same(blocks.take(Address{UINT64_MAX}), block);
}

TEST(LiveBlocksTest, WhatWasPutIsTakenOnce) {
  LiveBlocks blocks;
  const LiveBlock block{.time_ns = 5, .bytes = 100, .blocks = 3, .stack = 7, .cell = 9};
  EXPECT_FALSE(blocks.put(Address{0x1000}, block));
  EXPECT_EQ(blocks.size(), 1U);
  EXPECT_TRUE(blocks.take(Address{0x1010}).is_none());
  expect_same(blocks.take(Address{0x1000}), block);
  EXPECT_TRUE(blocks.take(Address{0x1000}).is_none());
  EXPECT_EQ(blocks.size(), 0U);
}

TEST(LiveBlocksTest, AnyAddressIsAKey) {
  LiveBlocks blocks;
  for (const std::uint64_t address : {std::uint64_t{0}, std::uint64_t{1}, UINT64_MAX}) {
    EXPECT_TRUE(blocks.take(Address{address}).is_none());
    EXPECT_FALSE(blocks.put(Address{address}, {.bytes = address >> 16U}));
    expect_same(blocks.take(Address{address}), {.bytes = address >> 16U});
  }
}

TEST(LiveBlocksTest, TheSecondAtAnAddressReplacesTheFirst) {
  LiveBlocks blocks;
  blocks.put(Address{16}, {.bytes = 1});
  expect_same(blocks.put(Address{16}, {.bytes = 2}), {.bytes = 1});
  EXPECT_EQ(blocks.size(), 1U);
  expect_same(blocks.take(Address{16}), {.bytes = 2});
}

TEST(LiveBlocksTest, DoesWhatAMapDoes) {
  for (const std::uint64_t addresses : {40U, 3000U, 40000U}) {
    std::mt19937_64 random(addresses);
    LiveBlocks blocks;
    std::map<std::uint64_t, LiveBlock> reference;
    for (int i = 0; i < 200000; ++i) {
      const std::uint64_t address = 0x7f0000000000 + 16 * (random() % addresses);
      const auto known = reference.find(address);
      if (random() % 2 == 0) {
        const LiveBlock block = random_block(random);
        const auto before = blocks.put(Address{address}, block);
        ASSERT_EQ(before.has_value(), known != reference.end());
        if (before) expect_same(before, known->second);
        reference[address] = block;
      } else {
        const auto taken = blocks.take(Address{address});
        ASSERT_EQ(taken.is_none(), known == reference.end());
        if (taken.is_none()) continue;
        expect_same(taken, known->second);
        reference.erase(known);
      }
      ASSERT_EQ(blocks.size(), reference.size());
      if (i % 20000 == 0) {
        ASSERT_TRUE(blocks.check());
      }
    }
    EXPECT_TRUE(blocks.check());
    for (const auto& [address, block] : reference)
      expect_same(blocks.take(Address{address}), block);
    EXPECT_TRUE(blocks.check());
  }
}

}  // namespace
}  // namespace mini::sources
