#include "heaps/reachability.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "heaps/block_index.h"

namespace mini::heaps {
namespace {

constexpr std::uint64_t kPage = 4096;

/// Memory of words, by pages; what was never written is zero where its page is there, and cannot be
/// read where it is not.
class FakeMemory final : public MemoryReader {
 public:
  void map(std::uint64_t begin, std::uint64_t bytes) {
    for (std::uint64_t page = begin / kPage; page <= (begin + bytes - 1) / kPage; ++page) {
      pages_[page].resize(kPage);
    }
  }
  void put(std::uint64_t address, std::uint64_t word) {
    map(address, sizeof word);
    std::memcpy(pages_[address / kPage].data() + address % kPage, &word, sizeof word);
  }
  std::uint64_t word(std::uint64_t address) const {
    return read_object<std::uint64_t>(Address{address}).value_or(0);
  }
  std::size_t read(Address from, std::span<std::byte> out) const override {
    std::size_t done = 0;
    while (done < out.size()) {
      const std::uint64_t at = from.value + done;
      const auto page = pages_.find(at / kPage);
      if (page == pages_.end()) break;
      const std::size_t count = std::min<std::size_t>(out.size() - done, kPage - at % kPage);
      std::memcpy(out.data() + done, page->second.data() + at % kPage, count);
      done += count;
    }
    return done;
  }

 private:
  std::map<std::uint64_t, std::vector<std::byte>> pages_;
};

using Reaches = std::vector<Reach>;
constexpr auto kReachable = Reach::kReachable;
constexpr auto kLost = Reach::kLost;
constexpr auto kIndirect = Reach::kLostIndirectly;

class ReachabilityTest : public testing::Test {
 protected:
  static constexpr std::uint64_t kRoots = 0x10000;

  ReachabilityTest() { memory_.map(kRoots, kPage); }

  std::uint64_t block(std::uint64_t begin, std::uint64_t bytes) {
    memory_.map(begin, std::max<std::uint64_t>(bytes, 1));
    blocks_.push_back({begin, bytes});
    return begin;
  }
  Reachability find(const RootSet& roots) const { return find_reachable(memory_, blocks_, roots); }
  Reaches found() const {
    return find({.ranges = {{Address{kRoots}, Address{kRoots + kPage}}}, .words = {}}).of_block;
  }

  FakeMemory memory_;
  std::vector<LiveRange> blocks_;
};

TEST_F(ReachabilityTest, FollowsPointersFromTheRoots) {
  const auto a = block(0x20000, 64);
  const auto b = block(0x20040, 64);
  block(0x20080, 64);
  memory_.put(kRoots + 8, a);
  memory_.put(a + 56, b);
  EXPECT_EQ(found(), (Reaches{kReachable, kReachable, kLost}));
}

TEST_F(ReachabilityTest, APointerIntoABlockKeepsItAndOneBehindItDoesNot) {
  const auto a = block(0x20000, 40);
  block(0x20040, 64);
  memory_.put(kRoots, a + 39);
  memory_.put(kRoots + 8, a + 40);
  memory_.put(kRoots + 16, a - 1);
  EXPECT_EQ(found(), (Reaches{kReachable, kLost}));
}

TEST_F(ReachabilityTest, RegistersAreRoots) {
  const auto a = block(0x20000, 16);
  block(0x30000, 16);
  EXPECT_EQ(find({.ranges = {}, .words = {1, a + 4, ~0ULL}}).of_block,
            (Reaches{kReachable, kLost}));
}

TEST_F(ReachabilityTest, UnalignedWordsAreNoPointers) {
  const auto a = block(0x20000, 16);
  memory_.put(kRoots + 64, a << 32U);
  memory_.put(kRoots + 72, a >> 32U);
  EXPECT_EQ(found(), (Reaches{kLost}));
}

TEST_F(ReachabilityTest, WhatOnlyLostBlocksPointToIsLostIndirectly) {
  const auto head = block(0x20000, 32);
  const auto next = block(0x20020, 32);
  const auto last = block(0x20040, 32);
  memory_.put(head, next);
  memory_.put(next, last);
  EXPECT_EQ(found(), (Reaches{kLost, kIndirect, kIndirect}));
}

TEST_F(ReachabilityTest, ABlockThatPointsToItselfIsLostDirectly) {
  const auto a = block(0x20000, 32);
  memory_.put(a, a + 8);
  EXPECT_EQ(found(), (Reaches{kLost}));
}

TEST_F(ReachabilityTest, OneOfARingIsLostDirectly) {
  const auto a = block(0x20000, 32);
  const auto b = block(0x20020, 32);
  const auto behind = block(0x20040, 32);
  const auto other = block(0x20060, 32);
  memory_.put(a, b);
  memory_.put(b, a);
  memory_.put(b + 8, behind);
  memory_.put(other, a);
  EXPECT_EQ(found(), (Reaches{kIndirect, kIndirect, kIndirect, kLost}));
  memory_.put(other, 0);
  EXPECT_EQ(found(), (Reaches{kLost, kIndirect, kIndirect, kLost}));
  memory_.put(kRoots, behind);
  EXPECT_EQ(found(), (Reaches{kLost, kIndirect, kReachable, kLost}));
}

TEST_F(ReachabilityTest, ABlockOfNoBytesHasAnAddress) {
  const auto a = block(0x20000, 0);
  memory_.put(kRoots, a);
  EXPECT_EQ(found(), (Reaches{kReachable}));
}

TEST_F(ReachabilityTest, LargeBlocksAreFoundFromAnyOfTheirPages) {
  constexpr std::uint64_t kLarge = 3U << 20U;
  const auto large = block(0x100000, kLarge);
  const auto far = block(0x800000, 32);
  const auto near = block(0x800fe0, 64);  // on two pages
  memory_.put(kRoots, large + (1U << 20U) + 12345);
  memory_.put(large + kLarge - 8, far);
  memory_.put(kRoots + 8, near + 40);
  EXPECT_EQ(found(), (Reaches{kReachable, kReachable, kReachable}));
}

TEST_F(ReachabilityTest, WhatCannotBeReadIsSkippedAndCounted) {
  const auto a = block(0x20000, 64);
  memory_.put(kRoots + kPage + 8, a);  // the page between is not there
  const RootSet roots = {.ranges = {{Address{kRoots - kPage}, Address{kRoots + 2 * kPage}}},
                         .words = {}};
  const Reachability result = find(roots);
  EXPECT_EQ(result.of_block, (Reaches{kReachable}));
  EXPECT_EQ(result.unreadable_bytes, kPage);
  EXPECT_EQ(result.scanned_bytes, 2 * kPage + 64);
  blocks_.push_back({0x900000, 1ULL << 47U});  // nothing there
  EXPECT_EQ(find(roots).of_block, (Reaches{kReachable, kLost}));
}

TEST_F(ReachabilityTest, BlocksThatCannotBeDoNoHarm) {
  memory_.map(0x20000, kPage);
  blocks_ = {{0x20000, 1ULL << 62U}, {0x20000, 8}, {0x20010, ~0ULL}, {~0ULL - 7, ~0ULL}};
  memory_.put(kRoots, 0x20004);
  memory_.put(kRoots + 8, ~0ULL - 3);
  const Reaches result = found();
  EXPECT_EQ(result[1], kReachable);
  EXPECT_EQ(result[3], kReachable);
  EXPECT_TRUE(find_reachable(memory_, {}, {}).of_block.empty());
}

/// The same by walking the graph in the plainest way.
Reaches reference(const FakeMemory& memory, const std::vector<LiveRange>& blocks,
                  AddressRange roots) {
  const auto block_of = [&](std::uint64_t word) {
    for (std::size_t i = 0; i < blocks.size(); ++i) {
      if (word >= blocks[i].begin && word < blocks[i].begin + blocks[i].bytes) return i;
    }
    return blocks.size();
  };
  const auto callees = [&](std::uint64_t begin, std::uint64_t end) {
    std::vector<std::size_t> found;
    for (std::uint64_t at = begin; at + 8 <= end; at += 8) {
      if (const std::size_t i = block_of(memory.word(at)); i < blocks.size()) found.push_back(i);
    }
    return found;
  };
  std::vector<bool> seen(blocks.size(), false);
  const auto flood = [&](std::vector<std::size_t> from) {
    while (!from.empty()) {
      const std::size_t i = from.back();
      from.pop_back();
      if (seen[i]) continue;
      seen[i] = true;
      for (const std::size_t to : callees(blocks[i].begin, blocks[i].begin + blocks[i].bytes)) {
        from.push_back(to);
      }
    }
  };
  flood(callees(roots.begin.value, roots.end.value));
  Reaches result(blocks.size(), kLost);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (seen[i]) result[i] = kReachable;
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (result[i] == kReachable) continue;
    for (const std::size_t to : callees(blocks[i].begin, blocks[i].begin + blocks[i].bytes)) {
      if (to != i && result[to] == kLost) result[to] = kIndirect;
    }
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (result[i] == kLost) flood({i});
  }
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (seen[i]) continue;
    result[i] = kLost;
    flood({i});
  }
  return result;
}

TEST_F(ReachabilityTest, RandomHeapsAreAsTheReferenceSays) {
  for (unsigned seed = 0; seed < 60; ++seed) {
    std::mt19937_64 random(seed);
    FakeMemory memory;
    memory.map(kRoots, kPage);
    std::vector<LiveRange> blocks;
    std::uint64_t at = 0x100000;
    for (int i = 0; i < 200; ++i) {
      const std::uint64_t bytes = random() % 20 == 0 ? 8 * (random() % 2000) : 8 + random() % 120;
      blocks.push_back({at, bytes});
      memory.map(at, bytes + 1);
      at += (bytes + 31) / 16 * 16 + (random() % 10 == 0 ? 65536 : 0);
    }
    const auto any_address = [&] {
      const LiveRange& block = blocks[random() % blocks.size()];
      return block.begin + random() % (block.bytes + 8);
    };
    for (unsigned i = 0; i < seed / 10; ++i)
      memory.put(kRoots + 8 * (random() % 512), any_address());
    for (const LiveRange& block : blocks) {
      if (block.bytes >= 16 && random() % 3 != 0) {
        memory.put((block.begin + random() % (block.bytes - 8)) / 8 * 8, any_address());
      }
    }
    const AddressRange roots{Address{kRoots}, Address{kRoots + kPage}};
    EXPECT_EQ(find_reachable(memory, blocks, {.ranges = {roots}, .words = {}}).of_block,
              reference(memory, blocks, roots))
        << seed;
  }
}

TEST(BlockIndexTest, FindsEveryByteOfEveryBlockAndNoOther) {
  const std::vector<LiveRange> blocks = {{0x1000, 16}, {0x1010, 8},     {0x1ff0, 0x2020},
                                         {0x4010, 1},  {0x9000, 40000}, {0x7fffffff0000, 64}};
  const BlockIndex index(blocks);
  std::size_t block = 0;
  for (std::uint64_t address = 0xf00; address < 0x14000; ++address) {
    while (block < blocks.size() && address >= blocks[block].begin + blocks[block].bytes) ++block;
    const bool is_inside = address >= blocks[block].begin;
    EXPECT_EQ(index.find(address), is_inside ? block : BlockIndex::kNone) << address;
  }
  EXPECT_EQ(index.find(0x7fffffff003f), 5U);
  EXPECT_EQ(index.find(0x7fffffff0040), BlockIndex::kNone);
  EXPECT_EQ(BlockIndex({}).find(0), BlockIndex::kNone);
}

}  // namespace
}  // namespace mini::heaps
