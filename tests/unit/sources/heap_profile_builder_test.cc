// The builder of heap profiles: each figure by itself, then all of them on random events against a
// reference that remembers everything.
#include "sources/heap_profile_builder.h"

#include <bit>
#include <gtest/gtest.h>
#include <map>
#include <random>

#include "heap_profile_reference.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::BlockTotals;
using model::HeapProfile;
using recording::Allocation;
using recording::CallKind;
using recording::Free;

constexpr recording::StackNumber kParse = 2;  // main, parse
constexpr recording::StackNumber kLoad = 3;   // main, load

/// Two stacks under main and two threads, defined as a recording defines them.
class Story {
 public:
  explicit Story(model::TimeSpan span = {}, model::StackDivision division = {})
      : builder(span, 512, division) {
    builder.module(1, {.path = "/bin/program", .build_id = "ab", .load_bias = {}});
    for (std::uint32_t number = 1; number <= 3; ++number) {
      builder.frame(number, {.module = 1, .address = 0x1000 + number});
    }
    builder.stack(1, {.caller = 0, .frame = 1});
    builder.stack(kParse, {.caller = 1, .frame = 2});
    builder.stack(kLoad, {.caller = 1, .frame = 3});
    builder.thread(1, {.tid = 100, .name = "main"});
    builder.thread(2, {.tid = 101, .name = "worker"});
  }
  Story& gets(std::uint64_t time_ns, std::uint64_t address, std::uint64_t bytes,
              std::uint32_t stack = kParse, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .requested_bytes = bytes,
                .stack = stack});
    return *this;
  }
  Story& frees(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    free({.time_ns = time_ns, .thread = thread, .address = Address{address}});
    return *this;
  }
  /// A realloc failed, in the time of its free.
  Story& keeps(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    frees(time_ns, address, thread);
    return restored(time_ns, address, thread);
  }
  Story& restored(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .requested_bytes = 1000,
                .stack = kLoad,
                .kind = CallKind::kRestored});
    return *this;
  }
  Story& pools(std::uint64_t time_ns, std::uint64_t address, std::uint32_t thread = 1) {
    allocation({.time_ns = time_ns,
                .thread = thread,
                .address = Address{address},
                .stack = kLoad,
                .kind = CallKind::kPool});
    return *this;
  }
  void allocation(const Allocation& allocation) {
    hand_on({.time_ns = allocation.time_ns,
             .address = allocation.address,
             .requested_bytes = allocation.requested_bytes,
             .weight_bytes = allocation.weight_bytes,
             .thread = allocation.thread,
             .stack = allocation.stack,
             .place = 1,
             .kind = allocation.kind});
  }
  void free(const Free& free) {
    hand_on({.time_ns = free.time_ns,
             .address = free.address,
             .thread = free.thread,
             .stack = free.stack,
             .place = 1,
             .is_free = true});
  }
  HeapProfile end(std::uint64_t time_ns = 0) {
    recording::Summary summary;
    if (time_ns != 0) {
      summary.ending = {.time_ns = time_ns,
                        .kind = recording::Ending::Kind::kExited,
                        .status = 3,
                        .losses = {.dropped_events = 4, .truncated_stacks = 5}};
    }
    return builder.finish(summary);
  }

  HeapProfileBuilder builder;

 private:
  /// As if it were an events block of its own.
  void hand_on(const recording::HeapEvent& event) {
    builder.heap_events({&event, 1});
    builder.events_end();
  }
};

const BlockTotals& stack_totals(const HeapProfile& profile, std::uint32_t node) {
  static const BlockTotals none;
  for (const model::StackProfile& stack : profile.stacks) {
    if (stack.node == node) return stack.totals;
  }
  return none;
}

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

class HeapProfileMappingsTest : public testing::Test {
 protected:
  using Operation = recording::Mapping::Operation;
  void tell(Operation operation, std::uint64_t address, std::uint64_t bytes,
            recording::StackNumber stack, std::uint64_t old_address = 0,
            std::uint64_t old_bytes = 0) {
    story_.builder.mapping({.time_ns = 1,
                            .thread = thread_,
                            .operation = operation,
                            .address = Address{address},
                            .bytes = Bytes{bytes},
                            .old_address = Address{old_address},
                            .old_bytes = Bytes{old_bytes},
                            .stack = stack});
  }

  Story story_;
  recording::ThreadNumber thread_ = 1;
};

TEST_F(HeapProfileMappingsTest, PagesBelongToWhoMappedThem) {
  tell(Operation::kMap, 0x10000, 0x4000, kParse);
  tell(Operation::kMap, 0x11000, 0x1000, kLoad);  // over a part of it
  tell(Operation::kUnmap, 0x13000, 0x1000, 0);
  tell(Operation::kDiscard, 0x10000, 0x1000, 0);
  tell(Operation::kRemap, 0x50000, 0x3000, kParse, 0x11000, 0x1000);  // still kLoad's
  tell(Operation::kUnmap, 0x90000, 0x1000, 0);                        // nobody's
  const HeapProfile profile = story_.end(2);
  ASSERT_EQ(profile.mappings.size(), 2U);
  const model::MappingProfile& parse = profile.mappings[0];
  EXPECT_EQ(parse.calls, 1U);
  EXPECT_EQ(parse.mapped_bytes, 0x4000U);
  EXPECT_EQ(parse.most_live_bytes, 0x4000U);
  EXPECT_EQ(parse.live_bytes, 0x2000U);
  EXPECT_EQ(parse.discarded_bytes, 0x1000U);
  const model::MappingProfile& load = profile.mappings[1];
  EXPECT_EQ(load.calls, 2U);
  EXPECT_EQ(load.mapped_bytes, 0x4000U);
  EXPECT_EQ(load.live_bytes, 0x3000U);
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

TEST_F(HeapProfileMappingsTest, WhatMovesLeavesItsPagesToOtherThreads) {
  tell(Operation::kMap, 0x10000, 0x1000, kParse);
  tell(Operation::kUnmap, 0x10000, 0x1000, kLoad);
  thread_ = 2;
  tell(Operation::kMap, 0x10000, 0x1000, kLoad);
  thread_ = 1;
  tell(Operation::kRemap, 0x50000, 0x3000, kLoad, 0x10000, 0x1000);
  const HeapProfile profile = story_.end(2);
  ASSERT_EQ(profile.mappings.size(), 2U);
  EXPECT_EQ(profile.mappings[0].live_bytes, 0x3000U);
  EXPECT_EQ(profile.mappings[0].calls, 2U);
  EXPECT_EQ(profile.mappings[1].live_bytes, 0x1000U);
}

TEST_F(HeapProfileMappingsTest, WhatIsNotGivenBackInTheEndStaysWhoseItWas) {
  tell(Operation::kMap, 0x10000, 0x4000, kParse);
  tell(Operation::kMap, 0x12000, 0x1000, kLoad);
  tell(Operation::kUnmap, 0x11000, 0x9000, kLoad);
  tell(Operation::kRemap, 0x11000, 0x9000, kLoad, 0x11000, 0x9000);
  // Of pages that were given back long ago, it is a call as any.
  tell(Operation::kUnmap, 0x12000, 0x1000, kLoad);
  tell(Operation::kMap, 0x12000, 0x1000, kParse);
  tell(Operation::kRemap, 0x12000, 0x2000, kLoad, 0x12000, 0x1000);
  const HeapProfile profile = story_.end(2);
  ASSERT_EQ(profile.mappings.size(), 2U);
  EXPECT_EQ(profile.mappings[0].live_bytes, 0x4000U);
  EXPECT_EQ(profile.mappings[0].calls, 3U);
  EXPECT_EQ(profile.mappings[1].live_bytes, 0U);
  EXPECT_EQ(profile.mappings[1].calls, 1U);
}

TEST_F(HeapProfileMappingsTest, DiscardedPagesAreThoseOfEachWhoMappedThem) {
  tell(Operation::kMap, 0x10000, 0x4000, kParse);
  tell(Operation::kMap, 0x14000, 0x4000, kLoad);
  tell(Operation::kDiscard, 0x13000, 0x9000, 0);
  tell(Operation::kDiscard, 0x10000, 100, 0);
  const HeapProfile profile = story_.end(2);
  ASSERT_EQ(profile.mappings.size(), 2U);
  EXPECT_EQ(profile.mappings[0].discarded_bytes, 0x2000U);
  EXPECT_EQ(profile.mappings[1].discarded_bytes, 0x4000U);
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
TEST(HeapProfileBuilderTest, NoBlockHasLessThanItAskedFor) {
  Story story;
  story.builder.usable_size({.requested_bytes = 97, .usable_bytes = 97});
  const model::UsableSizes usable = story.gets(1, 0x100, 97).gets(2, 0x200, 104).end().usable;
  EXPECT_EQ(usable.totals.peak, (Amount{.blocks = 2, .bytes = 97 + 104}));
  EXPECT_EQ(usable.totals.peak_usable_bytes, 2 * 104U);
}

// A block's usable size is that of its requested size, rounded up to a multiple of 8.
TEST(HeapProfileBuilderTest, UsableSizesAreThoseOfThePeak) {
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

TEST(HeapProfileBuilderTest, UsableSizesOfAStackAreKnownWhereItsSmallBlocksHaveOneSize) {
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

TEST(HeapProfileBuilderTest, BlocksOfNoBytesHaveAUsableSize) {
  Story story;
  story.builder.usable_size({.requested_bytes = 0, .usable_bytes = 24});
  story.gets(1, 0x100, 0).gets(2, 0x200, 0).gets(3, 0x300, 1);  // nothing is known of 1
  const model::UsableSizes usable = story.end().usable;
  EXPECT_EQ(usable.totals.peak, (Amount{.blocks = 2, .bytes = 0}));
  EXPECT_EQ(usable.totals.peak_usable_bytes, 48U);
}

TEST(HeapProfileBuilderTest, BlocksOfNoBytesAreThePeakWhereThereAreNoOthers) {
  const HeapProfile profile = Story().gets(1, 0x100, 0).gets(2, 0x200, 0).frees(3, 0x100).end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 0}));
  EXPECT_EQ(profile.peak_time_ns, 2U);
}

TEST(HeapProfileBuilderTest, WithoutUsableSizesNothingIsSaidOfThem) {
  EXPECT_FALSE(Story().gets(1, 0x100, 20).end().usable.is_known);
}

TEST(HeapProfileBuilderTest, TheHeaderOfABlockIsTouchedWithIt) {
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

TEST(HeapProfileBuilderTest, TouchesBelongToTheBlockThatTheyAreIn) {
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

TEST(HeapProfileBuilderTest, WhereBlocksAreSampledTouchesBelongToRecordedOnesAlone) {
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

TEST(HeapProfileBuilderTest, ABlockWhoseReallocFailedIsAsItWas) {
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

TEST(HeapProfileBuilderTest, WhatIsRestoredCanMakeThePeak) {
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

TEST(HeapProfileBuilderTest, ARestoredBlockNobodyKnewOfStaysUnknown) {
  const HeapProfile profile = Story().keeps(1, 0x100).end();
  EXPECT_EQ(profile.losses.frees_not_seen, 0U);
  EXPECT_EQ(profile.free_events, 0U);
  EXPECT_EQ(profile.totals.allocated, Amount());
}

TEST(HeapProfileBuilderTest, WithoutItsFreeARestoredBlockIsOneLikeAnother) {
  Story story;
  story.restored(1, 0).gets(2, 0x100, 10).restored(3, 0x100);  // the second one is live
  story.frees(4, 0x100).restored(5, 0x200).restored(6, 0x100, 2);
  const HeapProfile profile = story.end();
  EXPECT_EQ(stack_totals(profile, kParse).allocated, (Amount{1, 10}));
  EXPECT_EQ(stack_totals(profile, kLoad).allocated, (Amount{3, 3000}));
}

TEST(HeapProfileBuilderTest, APoolsMemoryCountsNoMore) {
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

TEST(HeapProfileBuilderTest, WhatBecomesAPoolsLateWasInThePeak) {
  Story story;
  story.gets(1, 0x1000, 1000).gets(2, 0x100, 10, kLoad).pools(3, 0x1000).gets(4, 0x200, 20);
  const HeapProfile profile = story.end();
  EXPECT_EQ(profile.totals.peak, (Amount{2, 1010}));
  EXPECT_EQ(stack_totals(profile, kParse).peak, (Amount{1, 1000}));
  EXPECT_EQ(stack_totals(profile, kParse).allocated, (Amount{1, 20}));
  EXPECT_EQ(profile.totals.live, (Amount{2, 30}));
}

TEST(HeapProfileBuilderTest, AChildFreesAPoolsMemory) {
  Story parent;
  parent.gets(1, 0x100, 10).pools(2, 0x100).gets(3, 0x200, 20).pools(4, 0x200);
  Story child;
  child.builder.inherit(parent.builder);
  const HeapProfile profile = child.frees(5, 0x200).frees(6, 0x100).end();
  EXPECT_EQ(profile.losses.frees_not_seen, 0U);
  EXPECT_EQ(profile.inheritance.at_fork, Amount());
}

TEST(HeapProfileBuilderTest, AChildFreesWhatItInherited) {
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
TEST(HeapProfileBuilderTest, InheritedStacksHaveTheSameOrderEachTime) {
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

TEST(HeapProfileBuilderTest, AChildKeepsWhatItCouldNotResize) {
  Story parent;
  parent.gets(1, 0x100, 10);
  Story child;
  child.builder.inherit(parent.builder);
  EXPECT_EQ(child.keeps(2, 0x100).end().inheritance.freed, Amount());
}

TEST(HeapProfileBuilderTest, AGrandchildInheritsWhatItsParentDidNotFree) {
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

/// Few addresses, so that frees are found, frees are missing and addresses come again.
std::vector<HeapEvent> random_events(std::uint64_t seed) {
  std::mt19937_64 random(seed);
  std::vector<HeapEvent> events;
  std::uint64_t time_ns = 0;
  const std::uint64_t addresses = 1 + random() % 60;
  const std::uint64_t frees_in_ten = 3 + random() % 5;
  for (int i = 0; i < 600; ++i) {
    time_ns += random() % 1000;
    const auto thread = static_cast<std::uint32_t>(random() % 4);  // 3 is not defined
    const Address address{0x1000 + 16 * (random() % addresses)};
    if (random() % 10 < frees_in_ten) {
      events.emplace_back(Free{.time_ns = time_ns, .thread = thread % 3, .address = address});
    } else {
      events.emplace_back(Allocation{.time_ns = time_ns,
                                     .thread = thread % 3,
                                     .address = address,
                                     .requested_bytes = random() % (2ULL << (random() % 12)),
                                     .stack = static_cast<std::uint32_t>(random() % 4),
                                     .kind = static_cast<CallKind>(random() % 5)});
    }
  }
  return events;
}

void expect_same(const BlockTotals& got, const ReferenceTotals& expected) {
  EXPECT_EQ(got.allocated, expected.allocated);
  EXPECT_EQ(got.freed, expected.freed);
  EXPECT_EQ(got.lost, expected.lost);
  EXPECT_EQ(got.temporary, expected.temporary);
  EXPECT_EQ(got.live, expected.live);
  EXPECT_EQ(got.peak, expected.peak);
  EXPECT_EQ(got.resized, expected.resized);
}

HeapProfile built_from(const std::vector<HeapEvent>& events, model::StackDivision division = {}) {
  Story story({}, division);
  for (const HeapEvent& event : events) {
    if (const auto* allocation = std::get_if<Allocation>(&event)) {
      story.allocation(*allocation);
    } else {
      story.free(std::get<Free>(event));
    }
  }
  EXPECT_TRUE(story.builder.live_blocks().check());
  return story.end();
}

TEST(HeapProfileBuilderTest, EqualsAReferenceThatRemembersEverything) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    const HeapProfile profile = built_from(events);
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    EXPECT_EQ(profile.losses.frees_not_seen, expected.frees_not_seen);
    EXPECT_EQ(profile.stacks.size(), expected.stacks.size());
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    for (std::uint32_t i = 0; i < 3; ++i) {
      expect_same(profile.threads[i].totals, expected.threads[i]);
    }
    EXPECT_EQ(profile.sizes.size(), expected.sizes.size());
    for (const auto& size : profile.sizes) {
      expect_same(size.totals,
                  expected.sizes[static_cast<std::uint32_t>(std::bit_width(size.least_bytes))]);
    }
    if (HasFailure()) break;
  }
}

TEST(HeapProfileBuilderTest, PoolsMemoryChangesNothing) {
  for (std::uint64_t seed = 3000; seed < 3100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    Story story;
    std::uint64_t time_ns = 0;
    for (const HeapEvent& event : events) {
      // Of a thread that nobody knows: a known one's last allocation is another one then.
      const std::uint64_t region = 0x100000 + 0x1000 * (random() % 9);
      story.frees(time_ns, region, 0).gets(time_ns, region, random() % 5000, kLoad, 0);
      story.pools(time_ns, region, 0);
      if (const auto* const allocation = std::get_if<Allocation>(&event)) {
        time_ns = allocation->time_ns;
        story.allocation(*allocation);
      } else {
        time_ns = std::get<Free>(event).time_ns;
        story.free(std::get<Free>(event));
      }
    }
    const HeapProfile profile = story.end();
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    if (HasFailure()) break;
  }
}

TEST(HeapProfileBuilderTest, ReallocsThatFailChangeNothing) {
  for (std::uint64_t seed = 2000; seed < 2100; ++seed) {
    SCOPED_TRACE(seed);
    std::mt19937_64 random(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    ReferenceProfile expected = reference_profile(events);
    Story story;
    for (const HeapEvent& event : events) {
      const auto* const allocation = std::get_if<Allocation>(&event);
      if (allocation != nullptr) {
        story.allocation(*allocation);
      } else {
        story.free(std::get<Free>(event));
      }
      const std::uint64_t time_ns =
          allocation != nullptr ? allocation->time_ns : std::get<Free>(event).time_ns;
      story.keeps(time_ns, 0x1000 + 16 * (random() % 60), static_cast<std::uint32_t>(random() % 3));
    }
    const HeapProfile profile = story.end();
    expect_same(profile.totals, expected.totals);
    EXPECT_EQ(profile.peak_time_ns, expected.peak_time_ns);
    EXPECT_EQ(profile.losses.frees_not_seen, expected.frees_not_seen);
    for (const auto& stack : profile.stacks) expect_same(stack.totals, expected.stacks[stack.node]);
    if (HasFailure()) break;
  }
}

template <typename Parts>
BlockTotals sum_of(const Parts& parts) {
  BlockTotals sum;
  for (const auto& part : parts) {
    sum.allocated += part.totals.allocated;
    sum.freed += part.totals.freed;
    sum.lost += part.totals.lost;
    sum.temporary += part.totals.temporary;
    sum.live += part.totals.live;
    sum.peak += part.totals.peak;
    sum.resized += part.totals.resized;
  }
  return sum;
}

ReferenceTotals figures_of(const BlockTotals& totals) {
  return {totals.allocated, totals.freed, totals.lost,   totals.temporary,
          totals.live,      totals.peak,  totals.resized};
}

TEST(HeapProfileBuilderTest, DividedStacksAddUpToStacksAndToParts) {
  using model::StackDivision;
  for (std::uint64_t seed = 0; seed < 50; ++seed) {
    SCOPED_TRACE(seed);
    const std::vector<HeapEvent> events = random_events(seed);
    const HeapProfile whole = built_from(events);
    for (const StackDivision division : {StackDivision::kThread, StackDivision::kSize}) {
      const HeapProfile divided = built_from(events, division);
      std::map<std::uint32_t, BlockTotals> nodes;
      std::vector<BlockTotals> parts(std::max(whole.threads.size(), whole.sizes.size()));
      for (const auto& stack : divided.stacks) {
        nodes[stack.node] += stack.totals;
        parts.at(stack.part) += stack.totals;
      }
      ASSERT_EQ(nodes.size(), whole.stacks.size());
      for (const auto& stack : whole.stacks) {
        expect_same(nodes[stack.node], figures_of(stack.totals));
      }
      const bool is_by_size = division == StackDivision::kSize;
      const std::size_t count = is_by_size ? whole.sizes.size() : whole.threads.size();
      for (std::size_t i = 0; i < count; ++i) {
        expect_same(parts[i],
                    figures_of(is_by_size ? whole.sizes[i].totals : whole.threads[i].totals));
      }
    }
  }
}

TEST(HeapProfileBuilderTest, TotalsReconcile) {
  for (std::uint64_t seed = 1000; seed < 1050; ++seed) {
    SCOPED_TRACE(seed);
    const HeapProfile profile = built_from(random_events(seed));
    const BlockTotals& totals = profile.totals;
    for (const BlockTotals& sum :
         {sum_of(profile.stacks), sum_of(profile.threads), sum_of(profile.sizes)}) {
      expect_same(sum, {totals.allocated, totals.freed, totals.lost, totals.temporary, totals.live,
                        totals.peak, totals.resized});
    }
    Amount parts = totals.freed;
    parts += totals.lost;
    parts += totals.live;
    EXPECT_EQ(parts, totals.allocated);
    Amount lifetimes;
    for (const auto& lifetime : profile.lifetimes) lifetimes += lifetime.freed;
    EXPECT_EQ(lifetimes, totals.freed);
    std::uint64_t most_live = 0;
    for (const auto& bucket : profile.timeline.buckets) {
      most_live = std::max(most_live, bucket.most_live_bytes);
    }
    EXPECT_EQ(most_live, totals.peak.bytes);
    EXPECT_EQ(profile.timeline.buckets.back().last_live_bytes, totals.live.bytes);
  }
}

}  // namespace
}  // namespace mini::sources
