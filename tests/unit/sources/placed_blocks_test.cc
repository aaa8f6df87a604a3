#include "sources/placed_blocks.h"

#include <gtest/gtest.h>
#include <map>
#include <optional>
#include <random>
#include <utility>

namespace mini::sources {
namespace {

using Place = PlacedBlocks::Place;

const auto kNobodyLoses = [](Address, const LiveBlock&) { ADD_FAILURE() << "a block was lost"; };

/// What is there, after the place has been met.
LiveBlock& at(PlacedBlocks& blocks, Place place, std::uint64_t address) {
  if (place > blocks.known_count()) {
    const Address fresh{address};
    blocks.meet({&fresh, 1});
  }
  return blocks.at(place);
}

std::optional<LiveBlock> put(PlacedBlocks& blocks, Place place, std::uint64_t address,
                             const LiveBlock& block) {
  const LiveBlock before = std::exchange(at(blocks, place, address), block);
  return before.is_none() ? std::nullopt : std::optional(before);
}

std::optional<LiveBlock> take(PlacedBlocks& blocks, Place place, std::uint64_t address) {
  const LiveBlock taken = std::exchange(at(blocks, place, address), LiveBlock::none());
  return taken.is_none() ? std::nullopt : std::optional(taken);
}

TEST(PlacedBlocks, ABlockIsFoundByItsPlaceAndAfterwardsByItsAddress) {
  PlacedBlocks blocks;
  EXPECT_FALSE(put(blocks, 1, 0x10, {.bytes = 5}));
  EXPECT_FALSE(put(blocks, 2, 0x20, {.bytes = 6}));
  auto taken = take(blocks, 1, 0x10);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->bytes, 5U);
  EXPECT_FALSE(take(blocks, 1, 0x10));
  blocks.gather(kNobodyLoses);
  EXPECT_EQ(blocks.table().size(), 1U);
  // Another events block: nothing at the same place, and the block by its address.
  EXPECT_FALSE(take(blocks, 1, 0x10));
  taken = take(blocks, 2, 0x20);
  ASSERT_TRUE(taken);
  EXPECT_EQ(taken->bytes, 6U);
}

TEST(PlacedBlocks, TwoPlacesOfOneAddressLoseNothing) {
  PlacedBlocks blocks;
  put(blocks, 1, 0x10, {.bytes = 5});
  put(blocks, 2, 0x10, {.bytes = 6});
  std::uint64_t lost_bytes = 0;
  blocks.gather([&](Address, const LiveBlock& block) { lost_bytes += block.bytes; });
  EXPECT_EQ(lost_bytes, 5U);
  EXPECT_EQ(blocks.table().size(), 1U);
  EXPECT_TRUE(blocks.table().check());
}

TEST(PlacedBlocks, AllAreVisitedWhereverTheyAre) {
  PlacedBlocks blocks;
  put(blocks, 1, 0x10, {.bytes = 5});
  put(blocks, 2, 0x20, {.bytes = 6});
  blocks.gather(kNobodyLoses);
  take(blocks, 1, 0x20);
  put(blocks, 2, 0x30, {.bytes = 7});
  std::map<std::uint64_t, std::uint64_t> visited;
  blocks.for_each([&](Address address, const LiveBlock& block) {
    EXPECT_TRUE(visited.emplace(address.value, block.bytes).second);
  });
  EXPECT_EQ(visited, (std::map<std::uint64_t, std::uint64_t>{{0x10, 5}, {0x30, 7}}));
}

// As a map by address does, in events blocks each of which has places of its own.
TEST(PlacedBlocks, DoesWhatAMapDoes) {
  std::mt19937_64 random(3);
  PlacedBlocks blocks;
  std::map<std::uint64_t, std::uint64_t> expected;
  for (int round = 0; round < 200; ++round) {
    std::map<std::uint64_t, Place> places;
    for (int event = 0; event < 300; ++event) {
      const std::uint64_t address = 16 * (1 + random() % 200);
      const auto fresh = static_cast<Place>(places.size() + 1);
      const Place place = places.emplace(address, fresh).first->second;
      const auto known = expected.find(address);
      if (random() % 2 == 0) {
        const auto before = put(blocks, place, address, {.bytes = random() % 1000});
        ASSERT_EQ(before.has_value(), known != expected.end());
        if (before) {
          ASSERT_EQ(before->bytes, known->second);
        }
        // What it holds now is asked for by taking it and putting it back.
        const LiveBlock now = *take(blocks, place, address);
        put(blocks, place, address, now);
        expected[address] = now.bytes;
      } else {
        const auto taken = take(blocks, place, address);
        ASSERT_EQ(taken.has_value(), known != expected.end());
        if (!taken) continue;
        ASSERT_EQ(taken->bytes, known->second);
        expected.erase(known);
      }
    }
    blocks.gather(kNobodyLoses);
    ASSERT_EQ(blocks.table().size(), expected.size());
    ASSERT_TRUE(blocks.table().check());
  }
}

}  // namespace
}  // namespace mini::sources
