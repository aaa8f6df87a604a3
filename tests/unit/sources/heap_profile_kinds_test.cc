// What is no plain allocation or free: a realloc that failed, the memory of a pool, blocks of a
// child's parent.
#include <cstdint>
#include <gtest/gtest.h>

#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::BlockTotals;
using model::HeapProfile;

TEST(HeapProfileKindsTest, ABlockWhoseReallocFailedIsAsItWas) {
  Story story;
  story.builder.usable_size({.requested_bytes = 100, .usable_bytes = 104});
  story.gets(10, 0x100, 100).keeps(20, 0x100).keeps(30, 0x100, 2).frees(40, 0x100, 2);
  const HeapProfile profile = story.end();
  const BlockTotals& totals = stack_totals(profile, kParse);
  EXPECT_EQ(totals.allocated, (Amount{1, 100}));
  EXPECT_EQ(totals.freed, (Amount{1, 100}));
  EXPECT_EQ(totals.temporary, Amount());
  EXPECT_EQ(totals.lifetime_ns, 30);
  EXPECT_EQ(profile.stacks.size(), 1U);
  EXPECT_EQ(profile.stacks[0].held_byte_ns, 3000);
  EXPECT_EQ(profile.threads[1].frees_by_others, 1U);
  EXPECT_EQ(profile.allocation_events, 1U);
  EXPECT_EQ(profile.free_events, 1U);
  ASSERT_EQ(profile.lifetimes.size(), 1U);
  EXPECT_EQ(profile.lifetimes[0].freed, (Amount{1, 100}));
  EXPECT_EQ(profile.usable.totals.peak_usable_bytes, 104U);
  EXPECT_EQ(profile.usable.totals.allocated.blocks, 1U);
}

TEST(HeapProfileKindsTest, WhatIsRestoredCanMakeThePeak) {
  Story story;
  story.builder.usable_size({.requested_bytes = 100'000, .usable_bytes = 102'400});
  story.gets(1, 0x100, 100'000).frees(2, 0x100).gets(3, 0x200, 70, kLoad, 2).restored(4, 0x100);
  const HeapProfile profile = story.frees(5, 0x200).end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 100'070}));
  EXPECT_EQ(profile.peak_time_ns, 4U);
  EXPECT_EQ(profile.timeline.buckets[0].most_live_bytes, 100'070U);
  EXPECT_EQ(profile.timeline.buckets[0].allocations, 2U);
  EXPECT_EQ(profile.usable.totals.peak, (Amount{1, 100'000}));
}

TEST(HeapProfileKindsTest, ARestoredBlockNobodyKnewOfStaysUnknown) {
  const HeapProfile profile = Story().keeps(1, 0x100).end();
  EXPECT_EQ(profile.losses.frees_not_seen, 0U);
  EXPECT_EQ(profile.free_events, 0U);
  EXPECT_EQ(profile.totals.allocated, Amount());
}

TEST(HeapProfileKindsTest, WithoutItsFreeARestoredBlockIsOneLikeAnother) {
  Story story;
  story.restored(1, 0).gets(2, 0x100, 10).restored(3, 0x100);  // the second one is live
  story.frees(4, 0x100).restored(5, 0x200).restored(6, 0x100, 2);
  const HeapProfile profile = story.end();
  EXPECT_EQ(stack_totals(profile, kParse).allocated, (Amount{1, 10}));
  EXPECT_EQ(stack_totals(profile, kLoad).allocated, (Amount{3, 3000}));
}

TEST(HeapProfileKindsTest, APoolsMemoryCountsNoMore) {
  Story story;
  story.builder.usable_size({.requested_bytes = 1 << 20, .usable_bytes = 2 << 20});
  story.gets(1, 0x100, 10, kLoad).gets(2, 0x1000, 1 << 20).pools(3, 0x1000);
  const std::uint64_t in_pool = 0x1000 | recording::kPoolAddress;
  story.gets(4, in_pool, 50).frees(5, in_pool).frees(6, 0x1000).gets(7, 0x1000, 20, kLoad);
  story.gets(8, 0x9000, 16).pools(9, 0x9000);  // of this one the end is not told
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 60}));
  EXPECT_EQ(profile.peak_time_ns, 4U);
  EXPECT_EQ(profile.totals.live, (Amount{2, 30}));
  EXPECT_EQ(stack_totals(profile, kParse).allocated, (Amount{1, 50}));
  EXPECT_EQ(stack_totals(profile, kParse).peak, (Amount{1, 50}));
  EXPECT_EQ(stack_totals(profile, kParse).temporary, (Amount{1, 50}));
  EXPECT_EQ(profile.sizes.size(), 3U);
  EXPECT_EQ(profile.allocation_events, 3U);
  EXPECT_EQ(profile.free_events, 1U);
  EXPECT_EQ(profile.losses.frees_not_seen, 0U);
  EXPECT_EQ(profile.usable.totals.allocated, Amount());
  EXPECT_EQ(profile.timeline.buckets[0].most_live_bytes, 60U);
}

TEST(HeapProfileKindsTest, WhatBecomesAPoolsLateWasInThePeak) {
  Story story;
  story.gets(1, 0x1000, 1000).gets(2, 0x100, 10, kLoad).pools(3, 0x1000).gets(4, 0x200, 20);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 1010}));
  EXPECT_EQ(stack_totals(profile, kParse).peak, (Amount{1, 1000}));
  EXPECT_EQ(stack_totals(profile, kParse).allocated, (Amount{1, 20}));
  EXPECT_EQ(profile.totals.live, (Amount{2, 30}));
}

TEST(HeapProfileKindsTest, AChildFreesAPoolsMemory) {
  Story parent;
  parent.gets(1, 0x100, 10).pools(2, 0x100).gets(3, 0x200, 20).pools(4, 0x200);
  Story child;
  child.builder.inherit(parent.builder);
  const HeapProfile profile = child.frees(5, 0x200).frees(6, 0x100).end();
  EXPECT_EQ(profile.losses.frees_not_seen, 0U);
  EXPECT_EQ(profile.inheritance.at_fork, Amount());
}

TEST(HeapProfileKindsTest, AChildFreesWhatItInherited) {
  Story parent;
  parent.gets(1, 0x100, 10).gets(2, 0x200, 20, kLoad).gets(3, 0x300, 30).frees(4, 0x300);
  Story child;
  child.builder.inherit(parent.builder);
  child.gets(5, 0x400, 40, kLoad).frees(6, 0x200).frees(7, 0x200).frees(8, 0x400);
  HeapProfile profile = child.end();
  EXPECT_EQ(profile.inheritance.at_fork, (Amount{.blocks = 2, .bytes = 30}));
  EXPECT_EQ(profile.inheritance.freed, (Amount{.blocks = 1, .bytes = 20}));
  EXPECT_EQ(profile.losses.frees_not_seen, 1U);
  EXPECT_EQ(profile.totals.allocated.bytes, 40U);
  EXPECT_EQ(profile.totals.live.blocks, 0U);
  ASSERT_EQ(profile.inheritance.stacks.size(), 2U);
  // What the child has of the parent's stacks is theirs, frame by frame.
  for (const model::InheritedProfile& stack : profile.inheritance.stacks) {
    const std::uint32_t frame = profile.nodes[stack.node].frame;
    EXPECT_EQ(profile.frames[frame].address, stack.at_fork.bytes == 10 ? 0x1002U : 0x1003U);
    EXPECT_EQ(profile.modules[profile.frames[frame].module].path, "/bin/program");
    EXPECT_EQ(profile.frames[profile.nodes[profile.nodes[stack.node].caller].frame].address,
              0x1001U);
  }
}

// Tables of blocks are seeded, each with another number.
TEST(HeapProfileKindsTest, InheritedStacksHaveTheSameOrderEachTime) {
  for (int reading = 0; reading < 20; ++reading) {
    Story parent;
    parent.gets(1, 0x100, 10).gets(2, 0x200, 10, kLoad);
    Story child;
    child.builder.inherit(parent.builder);
    const HeapProfile profile = child.end();
    ASSERT_EQ(profile.inheritance.stacks.size(), 2U);
    const std::uint32_t first = profile.nodes[profile.inheritance.stacks[0].node].frame;
    ASSERT_EQ(profile.frames[first].address, 0x1002U) << "in reading " << reading;
  }
}

TEST(HeapProfileKindsTest, AChildKeepsWhatItCouldNotResize) {
  Story parent;
  parent.gets(1, 0x100, 10);
  Story child;
  child.builder.inherit(parent.builder);
  EXPECT_EQ(child.keeps(2, 0x100).end().inheritance.freed, Amount());
}

TEST(HeapProfileKindsTest, AGrandchildInheritsWhatItsParentDidNotFree) {
  Story parent;
  parent.gets(1, 0x100, 10).gets(2, 0x200, 20, kLoad);
  Story child;
  child.builder.inherit(parent.builder);
  child.frees(3, 0x100).gets(4, 0x100, 50);
  Story grandchild;
  grandchild.builder.inherit(child.builder);
  const HeapProfile profile = grandchild.frees(5, 0x100).end();
  EXPECT_EQ(profile.inheritance.at_fork, (Amount{.blocks = 2, .bytes = 70}));
  EXPECT_EQ(profile.inheritance.freed, (Amount{.blocks = 1, .bytes = 50}));
}

// The nearer one of the two samples around the peak.

}  // namespace
}  // namespace mini::sources
