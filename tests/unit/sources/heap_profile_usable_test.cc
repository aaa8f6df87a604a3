// What blocks may use, and what of them is touched.
#include <cstdint>
#include <gtest/gtest.h>

#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::HeapProfile;

TEST(HeapProfileUsableTest, NoBlockHasLessThanItAskedFor) {
  Story story;
  story.builder.usable_size({.requested_bytes = 97, .usable_bytes = 97});
  const model::UsableSizes usable = story.gets(1, 0x100, 97).gets(2, 0x200, 104).end().usable;
  EXPECT_EQ(usable.totals.peak, (Amount{.blocks = 2, .bytes = 97 + 104}));
  EXPECT_EQ(usable.totals.peak_usable_bytes, 2 * 104U);
}

// A block's usable size is that of its requested size, rounded up to a multiple of 8.
TEST(HeapProfileUsableTest, UsableSizesAreThoseOfThePeak) {
  Story story;
  const auto told = [&story](std::uint64_t requested, std::uint64_t usable) {
    story.builder.usable_size({.requested_bytes = requested, .usable_bytes = usable});
  };
  told(20, 24);
  story.gets(1, 0x100, 20).gets(2, 0x200, 17).gets(3, 0x300, 24);
  told(100'000, 102'400);
  story.gets(4, 0x10000, 100'000);  // the peak
  story.frees(5, 0x200).frees(6, 0x10000);
  story.gets(7, 0x400, 20).gets(8, 0x500, 32);  // nothing is known of 32
  told(24, 40);                                 // too late: the first one holds
  story.gets(9, 0x600, 24);
  const HeapProfile profile = story.end();
  ASSERT_TRUE(profile.usable.is_known);
  EXPECT_EQ(profile.usable.totals.peak, (Amount{.blocks = 4, .bytes = 20 + 17 + 24 + 100'000}));
  EXPECT_EQ(profile.usable.totals.peak_usable_bytes, 3 * 24 + 102'400U);
  EXPECT_EQ(profile.usable.totals.allocated.blocks, 6U);
  ASSERT_EQ(profile.usable.classes.size(), 2U);
  EXPECT_EQ(profile.usable.classes[0].least_usable_bytes, 24U);
  EXPECT_EQ(profile.usable.classes[0].allocated_usable_bytes, 5 * 24U);
  EXPECT_EQ(profile.usable.classes[1].least_usable_bytes, 65'536U);
  EXPECT_EQ(profile.usable.classes[1].most_usable_bytes, 131'071U);
}

TEST(HeapProfileUsableTest, UsableSizesOfAStackAreKnownWhereItsSmallBlocksHaveOneSize) {
  const auto with = [](std::uint64_t last_size) {
    Story story;
    const auto told = [&story](std::uint64_t requested, std::uint64_t usable) {
      story.builder.usable_size({.requested_bytes = requested, .usable_bytes = usable});
    };
    told(20, 24);
    told(40, 56);
    story.gets(1, 0x100, 20).gets(2, 0x200, 20);
    told(100'000, 102'400);
    story.gets(3, 0x10000, 100'000);
    story.gets(4, 0x300, last_size);  // the peak
    story.frees(5, 0x100).frees(6, 0x10000);
    return story.end().usable.stacks;
  };
  const auto same = with(20);
  ASSERT_EQ(same.size(), 1U);
  EXPECT_EQ(same[0].peak, (Amount{.blocks = 4, .bytes = 3 * 20 + 100'000}));
  EXPECT_EQ(same[0].peak_usable_bytes, 3 * 24 + 102'400U);
  EXPECT_EQ(same[0].block_bytes, 0U);
  const auto several = with(40);
  ASSERT_EQ(several.size(), 1U);
  EXPECT_EQ(several[0].peak, (Amount{.blocks = 1, .bytes = 100'000}));
  EXPECT_EQ(several[0].peak_usable_bytes, 102'400U);
}

TEST(HeapProfileUsableTest, SmallBlocksWithAnAlignmentHaveNoUsableSizeThatIsKnown) {
  Story story;
  const auto gets_aligned = [&story](std::uint64_t time_ns, std::uint64_t address) {
    story.allocation({.time_ns = time_ns,
                      .thread = 1,
                      .address = Address{address},
                      .requested_bytes = 20,
                      .stack = kParse,
                      .kind = recording::CallKind::kAligned});
  };
  story.builder.usable_size({.requested_bytes = 20, .usable_bytes = 24});
  story.gets(1, 0x100, 20, kLoad);
  gets_aligned(2, 0x200);
  gets_aligned(3, 0x300);
  const model::UsableSizes usable = story.frees(4, 0x200).frees(5, 0x100).end().usable;
  EXPECT_EQ(usable.totals.allocated, (Amount{.blocks = 1, .bytes = 20}));
  EXPECT_EQ(usable.totals.peak_usable_bytes, 24U);
  ASSERT_EQ(usable.stacks.size(), 1U);
  EXPECT_EQ(usable.stacks[0].peak_usable_bytes, 24U);
}

TEST(HeapProfileUsableTest, BlocksOfNoBytesHaveAUsableSize) {
  Story story;
  story.builder.usable_size({.requested_bytes = 0, .usable_bytes = 24});
  story.gets(1, 0x100, 0).gets(2, 0x200, 0).gets(3, 0x300, 1);  // nothing is known of 1
  const model::UsableSizes usable = story.end().usable;
  EXPECT_EQ(usable.totals.peak, (Amount{.blocks = 2, .bytes = 0}));
  EXPECT_EQ(usable.totals.peak_usable_bytes, 48U);
}

TEST(HeapProfileUsableTest, BlocksOfNoBytesAreThePeakWhereThereAreNoOthers) {
  const HeapProfile profile = Story().gets(1, 0x100, 0).gets(2, 0x200, 0).frees(3, 0x100).end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 0}));
  EXPECT_EQ(profile.peak_time_ns, 2U);
}

TEST(HeapProfileUsableTest, WithoutUsableSizesNothingIsSaidOfThem) {
  EXPECT_FALSE(Story().gets(1, 0x100, 20).end().usable.is_known);
}

TEST(HeapProfileUsableTest, TheHeaderOfABlockIsTouchedWithIt) {
  Story story;
  const auto touches = [&story](std::uint64_t address) {
    story.builder.touch({.time_ns = 5, .thread = 1, .address = Address{address}, .stack = kParse});
  };
  story.gets(1, 0x10010, 1000, kParse);
  touches(0x10000);
  touches(0x103f8);  // of the next one
  story.gets(6, 0x10400, 1000, kLoad);
  touches(0x103f8);  // told of late
  touches(0x0fff8);  // too far before
  const HeapProfile profile = story.end(9);
  EXPECT_EQ(profile.first_touch.in_blocks.blocks, 3U);
  EXPECT_EQ(profile.first_touch.elsewhere.blocks, 1U);
  ASSERT_EQ(profile.first_touch.owners.size(), 2U);
  EXPECT_EQ(profile.first_touch.owners[0].touched.blocks, 1U);
  EXPECT_EQ(profile.first_touch.owners[1].touched.blocks, 2U);
}

TEST(HeapProfileUsableTest, TouchesBelongToTheBlockThatTheyAreIn) {
  Story story;
  const auto touches = [&story](std::uint64_t address, std::uint32_t thread = 1) {
    story.builder.touch(
        {.time_ns = 10, .thread = thread, .address = Address{address}, .stack = kLoad});
  };
  story.gets(1, 0x10000, 0x4000);
  touches(0x10000);
  touches(0x13fff);
  touches(0x14000);     // behind it, and in no block that comes
  touches(0x21008, 2);  // in one that this thread is given next
  story.gets(10, 0x21010, 0x100, kLoad, 2).frees(11, 0x10000);
  touches(0x12000);  // it is nobody's now
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.first_touch.in_blocks.blocks, 3U);
  EXPECT_EQ(profile.first_touch.elsewhere, (Amount{.blocks = 2, .bytes = 8192}));
  ASSERT_EQ(profile.first_touch.owners.size(), 2U);
  EXPECT_EQ(profile.first_touch.owners[0].node, kParse);
  EXPECT_EQ(profile.first_touch.owners[0].touched, (Amount{.blocks = 2, .bytes = 8192}));
  EXPECT_EQ(profile.first_touch.owners[1].node, kLoad);
  ASSERT_EQ(profile.first_touch.touchers.size(), 1U);
  EXPECT_EQ(profile.first_touch.touchers[0].touched.blocks, 5U);
}

TEST(HeapProfileUsableTest, WhereBlocksAreSampledTouchesBelongToRecordedOnesAlone) {
  Story story;
  const auto gets = [&story](std::uint64_t time_ns, std::uint64_t address) {
    story.allocation({.time_ns = time_ns,
                      .thread = 1,
                      .address = Address{address},
                      .requested_bytes = 1000,
                      .stack = kParse,
                      .weight_bytes = 500'000});
  };
  const auto touches = [&story](std::uint64_t address) {
    story.builder.touch({.time_ns = 5, .thread = 1, .address = Address{address}, .stack = kLoad});
  };
  gets(1, 0x10000);
  touches(0x10100);
  touches(0x11000);  // behind it, but among the bytes that it stands for
  touches(0x20100);  // in a block that was not recorded
  gets(6, 0x20010);  // which has its place later
  touches(0x20000);  // its header
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.first_touch.in_blocks.blocks, 2U);
  EXPECT_EQ(profile.first_touch.elsewhere.blocks, 2U);
}

}  // namespace
}  // namespace mini::sources
