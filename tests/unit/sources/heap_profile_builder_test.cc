// The builder of heap profiles, each figure by itself.
#include "sources/heap_profile_builder.h"

#include <gtest/gtest.h>
#include <utility>
#include <vector>

#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::HeapProfile;
using recording::Allocation;

TEST(HeapProfileBuilderTest, AnEmptyRecordingIsAnEmptyProfile) {
  const HeapProfile profile = Story().end();
  EXPECT_EQ(profile.totals.allocated, Amount());
  EXPECT_EQ(profile.totals.peak, Amount());
  EXPECT_TRUE(profile.stacks.empty());
  EXPECT_TRUE(profile.sizes.empty());
  EXPECT_EQ(profile.threads.size(), 3U);
}

TEST(HeapProfileBuilderTest, PeakOfAStackIsWhatItHadAtTheGlobalPeak) {
  Story story;
  story.gets(1, 0x10, 500, kParse).frees(2, 0x10);     // parse alone: 500
  story.gets(3, 0x20, 300, kLoad).gets(4, 0x30, 400);  // both: 700, the peak
  story.frees(5, 0x20).gets(6, 0x40, 200, kParse);     // parse has more, all together less
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 700}));
  EXPECT_EQ(profile.peak_time_ns, 4U);
  EXPECT_EQ(stack_totals(profile, kParse).peak, (Amount{1, 400}));
  EXPECT_EQ(stack_totals(profile, kLoad).peak, (Amount{1, 300}));
}

TEST(HeapProfileBuilderTest, OfEqualMaximaTheFirstIsThePeak) {
  Story story;
  story.gets(1, 0x10, 100, kParse).frees(2, 0x10).gets(3, 0x10, 100, kLoad);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.peak_time_ns, 1U);
  EXPECT_EQ(stack_totals(profile, kParse).peak, (Amount{1, 100}));
  EXPECT_EQ(stack_totals(profile, kLoad).peak, Amount());
}

recording::LeakScan scan_at(std::uint64_t time_ns, std::vector<recording::LostBlock> lost) {
  recording::LeakScan scan;
  scan.is_done = true;
  scan.time_ns = time_ns;
  scan.scanned_bytes = 4096;
  scan.lost = std::move(lost);
  return scan;
}

TEST(HeapProfileBuilderTest, WhatTheSearchForLeaksFoundIsPartOfWhatIsLive) {
  Story story;
  story.gets(1, 0x10, 100).gets(2, 0x20, 200).gets(3, 0x30, 400, kLoad, 2).gets(4, 0x40, 800);
  story.builder.leak_scan(scan_at(5, {{Address{0x20}, false}, {Address{0x99}, false}}));
  story.builder.leak_scan(scan_at(5, {{Address{0x30}, true}, {Address{0x20}, false}}));
  story.frees(6, 0x40);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.leak_scan.state, model::LeakScan::State::kDone);
  EXPECT_EQ(profile.leak_scan.scanned_bytes, 4096U);
  EXPECT_EQ(profile.totals.live, (Amount{3, 700}));
  EXPECT_EQ(profile.totals.reachable, (Amount{1, 100}));
  EXPECT_EQ(profile.totals.unreachable(), (Amount{2, 600}));
  EXPECT_EQ(profile.totals.lost_indirectly, (Amount{1, 400}));
  EXPECT_EQ(stack_totals(profile, kParse).unreachable(), (Amount{1, 200}));
  EXPECT_EQ(stack_totals(profile, kLoad).lost_indirectly, (Amount{1, 400}));
  EXPECT_EQ(profile.threads[2].totals.unreachable(), (Amount{1, 400}));
}

TEST(HeapProfileBuilderTest, ABlockThatCameAfterTheSearchIsNotLost) {
  Story story;
  story.gets(1, 0x10, 100);
  story.builder.leak_scan(scan_at(2, {{Address{0x10}, false}}));
  story.frees(3, 0x10).gets(4, 0x10, 50);
  EXPECT_EQ(story.end().totals.unreachable(), Amount());
}

TEST(HeapProfileBuilderTest, ASearchAfterTheTimeThatIsReportedOnDoesNotCount) {
  Story story({.from_ns = 0, .until_ns = 10});
  story.gets(1, 0x10, 100);
  story.builder.leak_scan(scan_at(20, {{Address{0x10}, false}}));
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.leak_scan.state, model::LeakScan::State::kNotAsked);
  EXPECT_EQ(profile.totals.reachable, Amount());
}

TEST(HeapProfileBuilderTest, ASearchThatCouldNotBeMadeIsNoSearch) {
  Story story;
  story.gets(1, 0x10, 100);
  story.builder.leak_scan({.lost = {}});
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.leak_scan.state, model::LeakScan::State::kMissing);
  EXPECT_EQ(profile.totals.unreachable(), (Amount{1, 100}));
}

TEST(HeapProfileBuilderTest, TemporaryIsFreedByTheThreadBeforeItsNextAllocation) {
  Story story;
  story.gets(1, 0x10, 8).frees(2, 0x10);                             // temporary
  story.gets(3, 0x10, 8).gets(4, 0x20, 8).frees(5, 0x10);            // another in between
  story.gets(6, 0x30, 8).gets(7, 0x40, 8, kLoad, 2).frees(8, 0x30);  // of another thread: yes
  story.gets(9, 0x50, 8).frees(10, 0x50, 2);                         // freed by another thread
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.temporary, (Amount{2, 16}));
  EXPECT_EQ(profile.threads[1].totals.temporary, (Amount{2, 16}));
  EXPECT_EQ(profile.threads[1].frees_by_others, 1U);
  EXPECT_EQ(profile.threads[2].frees_by_others, 0U);
}

TEST(HeapProfileBuilderTest, ABlockOfUnknownThreadIsNeverTemporary) {
  Story story;
  story.gets(1, 0x10, 8, kParse, 77).frees(2, 0x10, 77);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.temporary, Amount());
  EXPECT_EQ(profile.threads[0].totals.allocated, (Amount{1, 8}));
}

TEST(HeapProfileBuilderTest, CountsWhatDoesNotFitTogether) {
  Story story;
  story.frees(1, 0x99);                                     // allocated before the recording
  story.gets(2, 0x10, 100).gets(3, 0x10, 40, kLoad);        // the free in between was lost
  story.gets(4, 0x20, 1, 0).gets(5, 0x30, 1, 4000000000U);  // no stack; one that is not there
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.losses.frees_not_seen, 1U);
  EXPECT_EQ(profile.free_events, 1U);
  EXPECT_EQ(profile.totals.lost, (Amount{1, 100}));
  EXPECT_EQ(profile.totals.live, (Amount{3, 42}));
  EXPECT_EQ(profile.losses.unknown_stacks, 2U);
  EXPECT_EQ(stack_totals(profile, 0).live, (Amount{2, 2}));
}

TEST(HeapProfileBuilderTest, SumsTheTimesThatBlocksLived) {
  Story story;
  story.gets(10, 0x10, 100).frees(14, 0x10).gets(20, 0x10, 10).frees(20, 0x10).gets(30, 0x20, 1);
  const HeapProfile profile = story.end(40);
  EXPECT_EQ(profile.totals.lifetime_ns, 4.0);
  ASSERT_EQ(profile.lifetimes.size(), 2U);
  EXPECT_EQ(profile.lifetimes[0].most_ns, 0U);
  EXPECT_EQ(profile.lifetimes[0].freed, (Amount{1, 10}));
  EXPECT_EQ(profile.lifetimes[1].least_ns, 4U);
  EXPECT_EQ(profile.lifetimes[1].most_ns, 7U);
  EXPECT_EQ(profile.lifetimes[1].freed, (Amount{1, 100}));
  EXPECT_EQ(profile.stacks[0].held_byte_ns, 100.0 * 4 + 1.0 * 10);
  EXPECT_EQ(profile.stacks[0].first_ns, 10U);
  EXPECT_EQ(profile.stacks[0].last_ns, 30U);
}

TEST(HeapProfileBuilderTest, SizesAreRangesOfPowersOfTwo) {
  Story story;
  story.gets(1, 0x10, 0).gets(2, 0x20, 1).gets(3, 0x30, 4).gets(4, 0x40, 7).gets(5, 0x50, 8);
  const HeapProfile profile = story.end();
  ASSERT_EQ(profile.sizes.size(), 4U);
  EXPECT_EQ(profile.sizes[0].most_bytes, 0U);
  EXPECT_EQ(profile.sizes[2].least_bytes, 4U);
  EXPECT_EQ(profile.sizes[2].most_bytes, 7U);
  EXPECT_EQ(profile.sizes[2].totals.allocated, (Amount{2, 11}));
}

TEST(HeapProfileBuilderTest, ASampledBlockStandsForSeveral) {
  Story story;
  for (std::uint64_t i = 0; i < 100; ++i) {
    Allocation allocation{.thread = 1,
                          .address = Address{0x1000 + 16 * i},
                          .requested_bytes = 100,
                          .stack = kParse,
                          .weight_bytes = 250};
    story.allocation(allocation);
  }
  story.frees(2, 0x1000);
  const HeapProfile profile = story.end();
  EXPECT_TRUE(profile.is_estimate);
  EXPECT_EQ(profile.allocation_events, 100U);
  EXPECT_EQ(profile.totals.allocated, (Amount{250, 25000}));
  EXPECT_EQ(profile.totals.freed.bytes, 250U);
  EXPECT_EQ(profile.totals.live.bytes, 24750U);
}

TEST(HeapProfileBuilderTest, KeepsTheKernelsFigures) {
  Story story;
  recording::KernelSample sample;
  sample.time_ns = 5;
  sample.resident = Bytes{1000};
  sample.peak_resident = Bytes{1500};
  sample.agent_resident = Bytes{70};
  story.builder.sample(sample);
  sample.time_ns = 9;
  sample.resident = Bytes{800};
  sample.agent_resident = Bytes{90};
  story.builder.sample(sample);
  const HeapProfile profile = story.end(20);
  EXPECT_EQ(profile.kernel.samples, 2U);
  EXPECT_EQ(profile.kernel.peak_resident, Bytes{1500});
  EXPECT_EQ(profile.kernel.most_resident, Bytes{1000});
  EXPECT_EQ(profile.kernel.most_time_ns, 5U);
  EXPECT_EQ(profile.kernel.agent_resident, Bytes{70});
  EXPECT_EQ(profile.kernel.last_resident, Bytes{800});
  EXPECT_EQ(profile.losses.dropped_events, 4U);
  EXPECT_EQ(profile.losses.truncated_stacks, 5U);
  EXPECT_EQ(profile.ending.kind, model::ProfileEnding::Kind::kExited);
  EXPECT_EQ(profile.ending.status, 3U);
  EXPECT_EQ(profile.duration_ns, 20U);
}

TEST(HeapProfileBuilderTest, KeepsTheLargestBreakAndProportionalSize) {
  Story story;
  story.builder.sample({.time_ns = 1, .break_bytes = Bytes{30}, .proportional = Bytes{9}});
  story.builder.sample({.time_ns = 2, .break_bytes = Bytes{20}});
  const HeapProfile profile = story.end(3);
  EXPECT_EQ(profile.kernel.most_break, Bytes{30});
  EXPECT_EQ(profile.kernel.last_break, Bytes{20});
  EXPECT_EQ(profile.kernel.most_proportional, Bytes{9});
}

// 1.75 blocks each: were all rounded down, it would be a block a stack.
TEST(HeapProfileBuilderTest, TheOnlySampleOfAStackIsRoundedByChance) {
  constexpr std::uint32_t kStacks = 2000;
  Story story;
  for (std::uint32_t i = 0; i < kStacks; ++i) {
    story.builder.stack(kLoad + 1 + i, {.caller = 1, .frame = 1 + i % 3});
    story.allocation({.thread = 1,
                      .address = Address{0x5555'0000'1010 + std::uint64_t{i} * 0x150},
                      .requested_bytes = 1000,
                      .stack = kLoad + 1 + i,
                      .weight_bytes = 1750});
  }
  const Amount allocated = story.end().totals.allocated;
  EXPECT_EQ(allocated.bytes, 1750U * kStacks);
  EXPECT_NEAR(static_cast<double>(allocated.blocks), 1.75 * kStacks, 0.02 * kStacks);
}

TEST(HeapProfileBuilderTest, ASampledRecordingKnowsItsErrorAndNothingOfTemporaryBlocks) {
  Story story;
  for (std::uint64_t i = 0; i < 100; ++i) {
    story.allocation({.time_ns = i,
                      .thread = 1,
                      .address = Address{0x10},
                      .requested_bytes = 10,
                      .stack = kParse,
                      .weight_bytes = 1000});
    story.frees(i, 0x10);
  }
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.temporary, Amount{});
  EXPECT_DOUBLE_EQ(profile.totals.allocated_variance, 100 * 1000.0 * 1000.0 * 0.99);
  EXPECT_DOUBLE_EQ(profile.stacks[0].totals.allocated_variance, profile.totals.allocated_variance);
}

TEST(HeapProfileBuilderTest, AMomentIsAsThoughTheRecordingEndedThen) {
  Story story({.from_ns = 0, .until_ns = 25});
  story.gets(10, 0x10, 100).gets(20, 0x20, 50).frees(30, 0x10).gets(40, 0x30, 1000);
  const HeapProfile profile = story.end(50);
  EXPECT_EQ(profile.totals.live, (Amount{2, 150}));
  EXPECT_EQ(profile.totals.peak, (Amount{2, 150}));
  EXPECT_EQ(profile.free_events, 0U);
  EXPECT_EQ(profile.duration_ns, 25U);
}

TEST(HeapProfileBuilderTest, BetweenTwoMomentsWhatWasThereBeforeDoesNotCount) {
  Story story({.from_ns = 15, .until_ns = 45});
  story.gets(10, 0x10, 100).gets(11, 0x18, 7).gets(20, 0x20, 50).frees(30, 0x10);
  story.gets(35, 0x18, 5).gets(50, 0x30, 1000);
  const HeapProfile profile = story.end(60);
  EXPECT_EQ(profile.totals.allocated, (Amount{2, 55}));
  EXPECT_EQ(profile.totals.live, (Amount{2, 55}));
  EXPECT_EQ(profile.totals.lost, Amount());
  EXPECT_EQ(profile.losses.frees_not_seen, 1U);
}

TEST(HeapProfileBuilderTest, WhatHappensBetweenTwoTimesCountsInOneOfThem) {
  const auto bytes_in = [](model::TimeSpan span) {
    Story story(span);
    story.gets(10, 0x10, 1).gets(20, 0x20, 2).gets(30, 0x30, 4);
    return story.end(40).totals.allocated.bytes;
  };
  EXPECT_EQ(bytes_in({.from_ns = 0, .until_ns = 20, .is_half_open = true}), 1U);
  EXPECT_EQ(bytes_in({.from_ns = 20, .until_ns = 40, .is_half_open = true}), 6U);
  EXPECT_EQ(bytes_in({.from_ns = 0, .until_ns = 20}), 3U);
}

// An allocator may say exactly what was asked for; the next block of the same step asks for more.

TEST(HeapProfileBuilderTest, KnowsWhatTheKernelHeldAtThePeak) {
  Story story;
  const auto sampled = [&story](std::uint64_t time_ns, std::uint64_t resident) {
    story.builder.sample({.time_ns = time_ns, .resident = Bytes{resident}});
  };
  sampled(10, 1000);
  story.gets(50, 0x100, 100);
  sampled(60, 2000);  // 10 after that peak
  story.gets(80, 0x200, 100);
  sampled(200, 3000);  // 120 after the next, which the one before is nearer to
  story.frees(300, 0x100);
  sampled(400, 4000);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.peak_time_ns, 80U);
  EXPECT_EQ(profile.kernel.resident_at_peak, Bytes{2000});
  EXPECT_EQ(profile.kernel.at_peak_time_ns, 60U);
}

TEST(HeapProfileBuilderTest, NumbersFarApartCostNoMemoryInBetween) {
  Story story;
  for (std::uint32_t i = 1; i < 1000; ++i) {
    const std::uint32_t number = i * 4000000;
    story.builder.stack(number, {.caller = 1, .frame = 2});
    story.gets(i, 0x100 + 16ULL * i, 1, number);
  }
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.stacks.size(), 999U);
  EXPECT_EQ(profile.losses.unknown_stacks, 0U);
  for (std::size_t i = 1; i < profile.nodes.size(); ++i) EXPECT_LT(profile.nodes[i].caller, i);
}

TEST(HeapProfileBuilderTest, AStackThatIsItsOwnCallerHasNone) {
  Story story;
  story.builder.stack(9, {.caller = 9, .frame = 2});
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.nodes.back().caller, 0U);
}

TEST(HeapProfileBuilderTest, TimesThatGoBackStandStill) {
  Story story;
  story.gets(100, 0x10, 8).frees(50, 0x10);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.lifetime_ns, 0.0);
  EXPECT_EQ(profile.duration_ns, 100U);
}

TEST(HeapProfileBuilderTest, SizesBeyondTheAddressSpaceAreCut) {
  Story story;
  story.gets(1, 0x10, UINT64_MAX).frees(2, 0x10).gets(3, 0x20, 16);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.peak.bytes, std::uint64_t{1} << 47U);
  EXPECT_EQ(profile.totals.live, (Amount{1, 16}));
}

}  // namespace
}  // namespace mini::sources
