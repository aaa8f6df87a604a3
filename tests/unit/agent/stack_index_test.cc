#include "agent/stack_index.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

#include "unwind/self/self_unwinder.h"

namespace mini::agent {
namespace {

using unwind::self::chain_hash;
using unwind::self::place_factor;

// Every stack is found by its number, through all sizes of the index, and no other one is.
TEST(StackIndex, FindsWhatWasTold) {
  constexpr std::uint32_t kStacks = 50'000;
  std::vector<std::uint64_t> hashes(1);
  std::mt19937_64 random(5);
  StackIndex index;
  EXPECT_EQ(index.find(random()), 0U);
  for (std::uint32_t number = 1; number <= kStacks; ++number) {
    hashes.push_back(random());
    ASSERT_TRUE(index.make_room());
    ASSERT_EQ(index.find(hashes[number]), 0U);
    ASSERT_EQ(index.insert(hashes[number]), number);
    ASSERT_EQ(index.count(), number);
  }
  for (std::uint32_t number = 1; number <= kStacks; ++number) {
    ASSERT_EQ(index.find(hashes[number]), number);
    // Those that begin at the same place, with the same tag, and those with another.
    ASSERT_EQ(index.find(hashes[number] ^ std::uint64_t{1} << 40), 0U);
    ASSERT_EQ(index.find(hashes[number] ^ std::uint64_t{1} << 60), 0U);
  }
  index.clear();
  EXPECT_EQ(index.count(), 0U);
  EXPECT_EQ(index.find(hashes[1]), 0U);
  ASSERT_TRUE(index.make_room());
  EXPECT_EQ(index.insert(hashes[7]), 1U);
}

TEST(StackIndex, ADeepStackIsNotItsOuterPart) {
  std::map<std::uint64_t, int> hashes;
  std::uint64_t sum = 0;
  for (std::uint32_t depth = 0; depth < 10'000; ++depth) {
    sum += 0x401234 * place_factor(depth);  // a recursion
    ++hashes[chain_hash(sum)];
  }
  EXPECT_EQ(hashes.size(), 10'000U);
}

// As of a function that calls itself in two places.
TEST(StackIndex, EachWayDownATreeIsAStackOfItsOwn) {
  constexpr std::uint32_t kDepth = 16;
  std::map<std::uint64_t, int> hashes;
  for (std::uint32_t way = 0; way < 1U << kDepth; ++way) {
    std::uint64_t sum = 0;
    for (std::uint32_t depth = 0; depth < kDepth; ++depth) {
      sum += ((way >> depth & 1U) != 0 ? 0x401200U : 0x401240U) * place_factor(depth);
    }
    ++hashes[chain_hash(sum)];
  }
  EXPECT_EQ(hashes.size(), std::size_t{1} << kDepth);
}

}  // namespace
}  // namespace mini::agent
