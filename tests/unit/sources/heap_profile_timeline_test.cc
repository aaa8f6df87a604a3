#include "sources/heap_profile_timeline.h"

#include <gtest/gtest.h>

namespace mini::sources {
namespace {

/// A timeline, and what is live and was allocated up to now.
class Story {
 public:
  explicit Story(std::size_t most_buckets, std::uint64_t first_bucket_ns)
      : builder(most_buckets, first_bucket_ns) {}

  void allocated(std::uint64_t time_ns, std::uint64_t live_bytes) {
    builder.pass_to(time_ns, levels);
    levels.live_bytes = live_bytes;
    ++levels.allocations;
    builder.rose(live_bytes);
  }
  void freed(std::uint64_t time_ns, std::uint64_t live_bytes) {
    builder.pass_to(time_ns, levels);
    levels.live_bytes = live_bytes;
  }
  void take_back(std::uint64_t bytes) {
    builder.taken_back(levels.live_bytes, bytes);
    levels.live_bytes -= bytes;
    --levels.allocations;
  }
  void sampled(std::uint64_t time_ns, const KernelLevels& kernel) {
    builder.pass_to(time_ns, levels);
    builder.sampled(kernel);
  }
  model::Timeline finish(std::uint64_t time_ns) { return builder.finish(time_ns, levels); }

  TimelineBuilder builder;
  HeapLevels levels;
};

TEST(TimelineTest, ABucketHasTheMostThatWasLive) {
  Story story(8, 10);
  story.allocated(1, 100);
  story.allocated(2, 300);
  story.freed(3, 50);
  story.sampled(12, {.resident_bytes = 4096, .break_bytes = 512, .mapped_bytes = 8192});
  const model::Timeline timeline = story.finish(12);
  EXPECT_EQ(timeline.bucket_ns, 10U);
  ASSERT_EQ(timeline.buckets.size(), 2U);
  EXPECT_EQ(timeline.buckets[0].most_live_bytes, 300U);
  EXPECT_EQ(timeline.buckets[0].last_live_bytes, 50U);
  EXPECT_EQ(timeline.buckets[0].allocations, 2U);
  EXPECT_EQ(timeline.buckets[1].most_live_bytes, 50U);
  EXPECT_EQ(timeline.buckets[1].resident_bytes, 4096U);
  EXPECT_EQ(timeline.buckets[1].break_bytes, 512U);
  EXPECT_EQ(timeline.buckets[1].mapped_bytes, 8192U);
}

TEST(TimelineTest, WhatIsLiveStaysSoInBucketsWithoutEvents) {
  Story story(8, 10);
  story.allocated(5, 100);
  story.freed(45, 0);
  const model::Timeline timeline = story.finish(45);
  ASSERT_EQ(timeline.buckets.size(), 5U);
  EXPECT_EQ(timeline.buckets[2].most_live_bytes, 100U);
  EXPECT_EQ(timeline.buckets[4].most_live_bytes, 100U);
  EXPECT_EQ(timeline.buckets[4].last_live_bytes, 0U);
}

TEST(TimelineTest, WhereThereAreTooManyTwoBecomeOne) {
  Story story(4, 10);
  for (std::uint64_t i = 0; i < 100; ++i) story.allocated(i, i);
  const model::Timeline timeline = story.finish(99);
  EXPECT_EQ(timeline.bucket_ns, 40U);
  ASSERT_EQ(timeline.buckets.size(), 3U);
  EXPECT_EQ(timeline.buckets[0].most_live_bytes, 39U);
  EXPECT_EQ(timeline.buckets[0].allocations, 40U);
  EXPECT_EQ(timeline.buckets[2].last_live_bytes, 99U);
  EXPECT_EQ(timeline.buckets[2].allocations, 20U);
}

TEST(TimelineTest, AnyTimeHasABucket) {
  Story story(5, 1);
  story.allocated(0, 7);
  story.allocated(UINT64_MAX, 9);
  story.freed(UINT64_MAX, 1);
  const model::Timeline timeline = story.finish(UINT64_MAX);
  EXPECT_LE(timeline.buckets.size(), 5U);
  EXPECT_EQ(timeline.buckets.front().most_live_bytes, 7U);
  EXPECT_EQ(timeline.buckets.back().most_live_bytes, 9U);
  EXPECT_EQ(timeline.buckets.back().last_live_bytes, 1U);
}

TEST(TimelineTest, WhatIsTakenBackWasNeverThere) {
  Story story(8, 10);
  story.allocated(1, 300);
  story.freed(2, 200);
  story.allocated(3, 300);  // as much as there was, and no more
  story.take_back(100);
  story.allocated(4, 450);
  story.take_back(250);
  story.allocated(12, 700);
  story.take_back(500);
  const model::Timeline timeline = story.finish(12);
  ASSERT_EQ(timeline.buckets.size(), 2U);
  EXPECT_EQ(timeline.buckets[0].most_live_bytes, 300U);
  EXPECT_EQ(timeline.buckets[0].allocations, 1U);
  EXPECT_EQ(timeline.buckets[1].most_live_bytes, 200U);
  EXPECT_EQ(timeline.buckets[1].allocations, 0U);
}

// That the last bucket's was none is found out in the next one.
TEST(TimelineTest, AllocationsNeverCountBelowNone) {
  Story story(8, 10);
  story.allocated(1, 100);
  story.sampled(11, {});
  --story.levels.allocations;
  story.sampled(21, {});
  story.allocated(22, 200);
  const model::Timeline timeline = story.finish(22);
  ASSERT_EQ(timeline.buckets.size(), 3U);
  EXPECT_EQ(timeline.buckets[0].allocations, 1U);
  EXPECT_EQ(timeline.buckets[1].allocations, 0U);
  EXPECT_EQ(timeline.buckets[2].allocations, 1U);
}

}  // namespace
}  // namespace mini::sources
