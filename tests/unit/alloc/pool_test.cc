// Blocks from memory that is there already: Q1, the ends of the pool, and what is no block of it.
#include "alloc/pool.h"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "alloc/allocator.h"
#include "alloc/misuse.h"

namespace mini::alloc {
namespace {

class PoolTest : public testing::Test {
 protected:
  std::byte* take(std::size_t bytes) { return static_cast<std::byte*>(pool_.take(bytes)); }

  alignas(16) std::array<std::byte, 4096> memory_{};
  Pool pool_{memory_.data(), memory_.size()};
};

TEST_F(PoolTest, BlocksAreAlignedApartAndLargeEnough) {
  const std::byte* previous_end = memory_.data();
  for (const std::size_t bytes : {0U, 1U, 8U, 9U, 24U, 25U, 100U, 1000U}) {
    std::byte* const block = take(bytes);
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % 16, 0U);
    EXPECT_GE(Pool::usable_size(block), std::max<std::size_t>(bytes, 1));
    EXPECT_GE(block, previous_end);
    std::memset(block, 0xff, Pool::usable_size(block));
    previous_end = block + Pool::usable_size(block);
  }
}

TEST_F(PoolTest, NoBlockReachesBeyondTheEnd) {
  const std::byte* const end = memory_.data() + memory_.size();
  std::size_t blocks = 0;
  while (std::byte* const block = take(40)) {
    ASSERT_LE(block + Pool::usable_size(block), end);
    std::memset(block, 0xff, Pool::usable_size(block));
    ++blocks;
  }
  EXPECT_GT(blocks, 80U);
  EXPECT_EQ(take(1), nullptr);
}

TEST_F(PoolTest, WhatIsTooLargeTakesNothingFromWhatFits) {
  EXPECT_EQ(take(memory_.size()), nullptr);
  EXPECT_EQ(take(~std::size_t{0}), nullptr);
  EXPECT_EQ(take(~std::size_t{0} - 7), nullptr);
  EXPECT_EQ(take(memory_.size() - 16), nullptr);
  EXPECT_NE(take(100), nullptr);
}

TEST_F(PoolTest, ABlockIsFreedOnce) {
  void* const block = take(100);
  EXPECT_EQ(pool_.state(block), Pool::State::kInUse);
  EXPECT_EQ(pool_.free(block), Pool::State::kInUse);
  EXPECT_EQ(pool_.state(block), Pool::State::kFreed);
  EXPECT_EQ(pool_.free(block), Pool::State::kFreed);
}

TEST_F(PoolTest, WhatIsNoBlockIsNotFreed) {
  std::byte* const block = take(100);
  EXPECT_EQ(pool_.free(memory_.data()), Pool::State::kNoBlock);
  EXPECT_EQ(pool_.free(block + 1), Pool::State::kNoBlock);
  EXPECT_EQ(pool_.free(block + 16), Pool::State::kNoBlock);
  EXPECT_EQ(pool_.free(memory_.data() + 2048), Pool::State::kNoBlock);
  EXPECT_EQ(pool_.free(memory_.data() + memory_.size() - 16), Pool::State::kNoBlock);
  EXPECT_EQ(pool_.state(block), Pool::State::kInUse);
}

TEST_F(PoolTest, AHeaderThatTheProgramOverwroteIsNoBlock) {
  std::byte* const block = take(100);
  std::memset(block - 8, 0xff, 8);
  EXPECT_EQ(pool_.free(block), Pool::State::kNoBlock);
}

TEST_F(PoolTest, OnlyItsOwnAddressesAreContained) {
  EXPECT_TRUE(pool_.contains(memory_.data()));
  EXPECT_TRUE(pool_.contains(memory_.data() + memory_.size() - 1));
  EXPECT_FALSE(pool_.contains(memory_.data() + memory_.size()));
  EXPECT_FALSE(pool_.contains(memory_.data() - 1));
  EXPECT_FALSE(pool_.contains(nullptr));
}

TEST_F(PoolTest, ThreadsThatTakeAtOnceGetDifferentBlocks) {
  std::vector<std::thread> threads;
  for (int i = 1; i <= 4; ++i) {
    threads.emplace_back([this, i] {
      std::vector<std::byte*> blocks;
      while (std::byte* const block = take(24)) {
        std::memset(block, i, 24);
        blocks.push_back(block);
      }
      for (const std::byte* block : blocks) {
        for (int byte = 0; byte < 24; ++byte) ASSERT_EQ(block[byte], static_cast<std::byte>(i));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
}

TEST_F(PoolTest, OfTwoThreadsThatFreeABlockOneIsTold) {
  for (int round = 0; round < 50; ++round) {
    void* const block = take(24);
    Pool::State other = Pool::State::kNoBlock;
    std::thread thread([&] { other = pool_.free(block); });
    const Pool::State mine = pool_.free(block);
    thread.join();
    EXPECT_TRUE((mine == Pool::State::kInUse) != (other == Pool::State::kInUse));
  }
}

TEST(PoolDeathTest, TheLastBlockIsDescribedHoweverSmall) {
  const auto backing = std::make_unique<Backing>();
  for (const std::size_t bytes : {100U, 8U}) {
    void* const block = g_emergency.take(bytes);
    g_emergency.free(block);
    const std::string usable = std::to_string(Pool::usable_size_for(bytes));
    EXPECT_DEATH(die_of_misuse(Misuse::kDoubleFree, block, *backing),
                 ": a block of " + usable + " bytes, which is free");
  }
}

TEST(FirstBlocks, AClassHasASmallShareAndNoMore) {
  alignas(16) static std::array<std::byte, std::size_t{1} << 20> memory{};
  Pool pool(memory.data(), memory.size());
  FirstBlocks first(pool);
  for (const std::size_t bytes : {1U, 64U, 1000U, 4096U}) {
    std::size_t count = 0;
    while (void* const block = first.take(class_of(bytes), bytes)) {
      EXPECT_TRUE(pool.contains(block));
      ++count;
    }
    EXPECT_GE(count, 1U) << bytes;
    EXPECT_LE(count * bytes, 16U << 10) << bytes;
    EXPECT_LE(count, 64U) << bytes;
  }
  EXPECT_EQ(first.take(class_of(5000), 5000), nullptr);
}

}  // namespace
}  // namespace mini::alloc
