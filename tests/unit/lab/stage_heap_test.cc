#include "lab/stage_heap.h"

#include <cstdint>
#include <gtest/gtest.h>

namespace mini::lab {
namespace {

constexpr std::uint64_t kFree = 1;
constexpr std::uint64_t kArena3 = 3 << 2;  // stage 8's flags

// Chunks as stages 5 to 8 write them.
class StageHeapTest : public testing::Test {
 protected:
  void add(std::uint64_t size, std::uint64_t flags = 0) {
    words_.resize(words_.size() + size / sizeof(std::uint64_t), 0xeeee'eeee'eeee'eeee);
    words_[words_.size() - size / sizeof(std::uint64_t) + 1] = size | flags;
  }
  std::vector<StripPiece> chunks() const { return stage_chunks(std::as_bytes(std::span(words_))); }

  std::vector<std::uint64_t> words_;
};

TEST_F(StageHeapTest, FollowsTheChunks) {
  add(48);
  add(1024, kFree);
  add(32, kArena3);
  add(16, 0);  // the fence
  const auto seen = chunks();
  ASSERT_EQ(seen.size(), 4U);
  EXPECT_EQ(seen[0].size, Bytes{48});
  EXPECT_FALSE(seen[0].is_free);
  EXPECT_EQ(seen[1].size, Bytes{1024});
  EXPECT_TRUE(seen[1].is_free);
  EXPECT_FALSE(seen[2].is_free);
  EXPECT_EQ(seen[3].size, Bytes{16});
}

TEST_F(StageHeapTest, EndsWhereNoChunkCanBe) {
  add(48);
  words_.insert(words_.end(), {0, 0, 0, 0});  // the rest of the last page
  EXPECT_EQ(chunks().size(), 1U);
  words_.clear();
  add(48);
  add(64);
  words_.resize(words_.size() - 2);  // longer than what there is
  EXPECT_EQ(chunks().size(), 1U);
  EXPECT_TRUE(stage_chunks({}).empty());
}

}  // namespace
}  // namespace mini::lab
