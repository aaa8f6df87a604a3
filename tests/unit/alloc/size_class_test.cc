// The table of size classes: C1 to C4 of size_class.h for every size there is, and the division
// without a division for every offset.
#include "alloc/size_class.h"

#include <gtest/gtest.h>

namespace mini::alloc {
namespace {

TEST(SizeClass, IsTheLeastThatHoldsTheRequest) {
  for (std::size_t bytes = 0; bytes <= kLargestSmall; ++bytes) {
    const ClassIndex index = class_of(bytes);
    ASSERT_GE(index, 1) << bytes;
    ASSERT_LT(index, kClassCount) << bytes;
    ASSERT_GE(kSizeClasses[index].block_bytes, bytes);
    if (index > 1) {
      ASSERT_LT(kSizeClasses[index - 1].block_bytes, bytes);
    }
  }
}

TEST(SizeClass, ClassOfABlockSizeIsTheClassItself) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    EXPECT_EQ(class_of(kSizeClasses[i].block_bytes), i);
  }
}

TEST(SizeClass, TheLastClassHoldsTheLargestSmallBlock) {
  EXPECT_EQ(kSizeClasses[kClassCount - 1].block_bytes, kLargestSmall);
}

TEST(SizeClass, BlockSizesRiseByMultiplesOfSixteen) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    EXPECT_EQ(kSizeClasses[i].block_bytes % 16, 0U);
    EXPECT_GT(kSizeClasses[i].block_bytes, kSizeClasses[i - 1].block_bytes);
  }
}

TEST(SizeClass, RoundingUpWastesLessThanAnEighth) {
  for (std::size_t bytes = 1; bytes <= kLargestSmall; ++bytes) {
    const std::size_t block = kSizeClasses[class_of(bytes)].block_bytes;
    ASSERT_LE(block - bytes, bytes <= 128 ? 15 : block / 8) << bytes;
  }
}

TEST(SizeClass, SlabsOfBothSizesHoldBlocksAndWasteAtMostASixteenth) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const SizeClass& c = kSizeClasses[i];
    EXPECT_LE(c.least_pages, c.most_pages) << c.block_bytes;
    for (const std::uint32_t pages : {c.least_pages, c.most_pages}) {
      EXPECT_GE(pages, 1U);
      EXPECT_LE(pages, kMostSlabPages);
      const std::uint32_t blocks = detail::blocks_in(pages, c.block_bytes);
      EXPECT_GE(blocks, 1U) << c.block_bytes;
      EXPECT_LE(blocks, kMostBlocks) << c.block_bytes;
      const std::size_t waste = pages * kPageBytes - std::size_t{blocks} * c.block_bytes;
      EXPECT_LE(waste * 16, pages * kPageBytes) << c.block_bytes << " in " << pages << " pages";
    }
  }
}

TEST(SizeClass, AThreadCachesAtLeastTwoBlocksAndAtMost64KiBOfMore) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const SizeClass& c = kSizeClasses[i];
    EXPECT_GE(c.cached_most, 2);
    if (c.cached_most > 2) {
      EXPECT_LE(c.cached_most * c.block_bytes, 64U << 10);
    }
  }
}

TEST(BlockDivisor, AgreesWithTheDivisionAtEveryOffsetOfEverySlab) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const SizeClass& c = kSizeClasses[i];
    const BlockDivisor& divisor = kDivisors[i];
    std::uint32_t wrong = 0;
    for (std::uint32_t offset = 0; offset < divisor.block_count * c.block_bytes; ++offset) {
      const bool begins = offset % c.block_bytes == 0;
      if (begins && divisor.quotient(offset) != offset / c.block_bytes) ++wrong;
      if (divisor.starts_block(offset) != begins) ++wrong;
    }
    EXPECT_EQ(wrong, 0U) << c.block_bytes;
  }
}

TEST(BlockDivisor, TakesNoOtherOffsetForABlockWhateverItIs) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const SizeClass& c = kSizeClasses[i];
    for (std::uint64_t offset = 1; offset < (1ULL << 32); offset += 1'000'003) {
      const auto part = static_cast<std::uint32_t>(offset);
      if (part % c.block_bytes == 0 && part / c.block_bytes < kDivisors[i].block_count) continue;
      ASSERT_FALSE(kDivisors[i].starts_block(part)) << c.block_bytes << " " << part;
    }
  }
}

TEST(BlockDivisor, NoBlockBeginsAnywhereForACodeThatIsNoClass) {
  for (const std::uint32_t code : {0U, kClassCount, 120U, 255U}) {
    for (const std::uint32_t offset : {0U, 1U, 16U, 4096U, ~0U}) {
      EXPECT_FALSE(kDivisors[code].starts_block(offset));
    }
  }
}

}  // namespace
}  // namespace mini::alloc
