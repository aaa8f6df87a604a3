#include "agent/stack_index.h"

#include <gtest/gtest.h>
#include <map>
#include <random>
#include <vector>

#include "unwind/self/self_unwinder.h"

namespace mini::agent {
namespace {

using unwind::self::frame_hash;

// Every stack is found by its number, through all sizes of the index, and no other one is.
TEST(StackIndex, FindsWhatWasTold) {
  constexpr std::uint32_t kStacks = 50'000;
  std::vector<wire::Node> nodes(kStacks + 1);
  std::vector<std::uint64_t> hashes(kStacks + 1);
  std::vector<std::uint32_t> depths(kStacks + 1);
  std::mt19937_64 random(5);
  StackIndex index;
  for (std::uint32_t node = 1; node <= kStacks; ++node) {
    const auto caller = static_cast<std::uint32_t>(random() % node);  // 0: an outermost frame
    const std::uint64_t pc = 0x400000 + random() % 5000;
    depths[node] = depths[caller] + 1;
    hashes[node] = hashes[caller] + frame_hash(pc, depths[caller]);
    const std::uint32_t known = index.find(hashes[node], pc, nodes.data());
    if (known != 0) {  // the same stack came up before
      ASSERT_EQ(nodes[known].pc, pc);
      ASSERT_EQ(hashes[known], hashes[node]);
      continue;
    }
    nodes[node] = {.pc = pc, .caller = caller, .place = 0};
    ASSERT_TRUE(index.insert(hashes[node], node, nodes.data()));
  }
  for (std::uint32_t node = 1; node <= kStacks; ++node) {
    if (nodes[node].pc == 0) continue;
    ASSERT_EQ(index.find(hashes[node], nodes[node].pc, nodes.data()), node);
    ASSERT_EQ(index.find(hashes[node], nodes[node].pc + 1, nodes.data()), 0U);
    ASSERT_EQ(index.find(hashes[node] + 1, nodes[node].pc, nodes.data()), 0U);
  }
  index.clear();
  EXPECT_EQ(index.find(hashes[1], nodes[1].pc, nodes.data()), 0U);
}

TEST(StackIndex, ADeepStackIsNotItsOuterPart) {
  std::map<std::uint64_t, int> hashes;
  std::uint64_t hash = 0;
  for (std::uint32_t depth = 0; depth < 10'000; ++depth) {
    hash += frame_hash(0x401234, depth);  // a recursion
    ++hashes[hash];
  }
  EXPECT_EQ(hashes.size(), 10'000U);
}

}  // namespace
}  // namespace mini::agent
