#include "model/malloc_arithmetic.h"

#include <gtest/gtest.h>

namespace mini::model {
namespace {

constexpr Bytes kPage{4096};
constexpr Bytes kPad{131072};
constexpr std::uint64_t kMax = ~0ULL;

TEST(MallocArithmeticTest, ChunksOfRequests) {
  EXPECT_EQ(chunk_of_request(Bytes{0}), Bytes{32});
  EXPECT_EQ(chunk_of_request(Bytes{24}), Bytes{32});
  EXPECT_EQ(chunk_of_request(Bytes{25}), Bytes{48});
  EXPECT_EQ(chunk_of_request(Bytes{1000}), Bytes{0x3f0});
  EXPECT_EQ(chunk_of_request(Bytes{1024}), Bytes{1040});
  EXPECT_EQ(chunk_of_request(Bytes{kMax}), std::nullopt);
  EXPECT_EQ(chunk_of_request(Bytes{kMax / 2 + 1}), std::nullopt);
  EXPECT_TRUE(chunk_of_request(Bytes{kMax / 2}).has_value());
}

TEST(MallocArithmeticTest, CacheIndices) {
  EXPECT_EQ(thread_cache_index(Bytes{32}), 0u);
  EXPECT_EQ(thread_cache_index(Bytes{1008}), 61u);
  EXPECT_EQ(thread_cache_index(Bytes{1040}), 63u);
}

TEST(MallocArithmeticTest, TheThreadCachesChunkByVersion) {
  EXPECT_EQ(thread_cache_chunk("2.25"), std::nullopt);
  EXPECT_EQ(thread_cache_chunk("2.27"), Bytes{0x250});
  EXPECT_EQ(thread_cache_chunk("2.36"), Bytes{656});
  EXPECT_EQ(thread_cache_chunk("2.42"), std::nullopt);
  EXPECT_EQ(thread_cache_chunk(""), std::nullopt);
  EXPECT_EQ(thread_cache_chunk("3.36"), std::nullopt);
  EXPECT_EQ(thread_cache_chunk("2."), std::nullopt);
}

TEST(MallocArithmeticTest, GrowthOfTheBreak) {
  EXPECT_EQ(break_growth(Bytes{656}, kPad, Bytes{}, kPage), Bytes{0x21000});
  EXPECT_EQ(break_growth(Bytes{0x11180}, kPad, Bytes{0xfbd0}, kPage), Bytes{0x22000});
  EXPECT_EQ(break_growth(Bytes{32}, Bytes{}, Bytes{65}, kPage), std::nullopt) << "fits already";
  EXPECT_EQ(break_growth(Bytes{kMax}, kPad, Bytes{}, kPage), std::nullopt);
}

TEST(MallocArithmeticTest, MappingOfOneChunk) {
  EXPECT_EQ(mapping_of_chunk(Bytes{0x40010}, kPage), Bytes{0x41000});
  EXPECT_EQ(mapping_of_chunk(Bytes{0x40ff0}, kPage), Bytes{0x41000});
  EXPECT_EQ(mapping_of_chunk(Bytes{0x41000}, kPage), Bytes{0x42000});
  EXPECT_EQ(mapping_of_chunk(Bytes{kMax}, kPage), std::nullopt);
}

TEST(MallocArithmeticTest, TrimKeepsThePadAndTheSmallestChunk) {
  EXPECT_EQ(break_trim(Bytes{0x100000}, kPad, kPage), Bytes{0xdf000});
  EXPECT_EQ(break_trim(Bytes{131072 + 32 + 1 + 4096}, kPad, kPage), Bytes{4096});
  EXPECT_EQ(break_trim(Bytes{131072 + 32 + 4096}, kPad, kPage), Bytes{});
  EXPECT_EQ(break_trim(Bytes{100}, Bytes{kMax}, kPage), Bytes{});
}

TEST(MallocArithmeticTest, CorrectionAfterAForeignMove) {
  // Ends on a page: only the old top is added again, rounded up.
  EXPECT_EQ(break_correction(Address{0x10000}, Bytes{0x2d0}, kPage), Bytes{0x1000});
  // 1000 bytes past a page: 8 to align the chunk, then up to the page's end.
  EXPECT_EQ(break_correction(Address{0x103e8}, Bytes{}, kPage), Bytes{0x1000 - 0x3e8});
  EXPECT_EQ(break_correction(Address{kMax - 10}, Bytes{100}, kPage), std::nullopt);
}

}  // namespace
}  // namespace mini::model
