#include "sources/heap_profile_timeline.h"

#include <gtest/gtest.h>

namespace mini::sources {
namespace {

TEST(TimelineTest, ABucketHasTheMostThatWasLive) {
  TimelineBuilder builder(8, 10);
  builder.allocated(1, 100);
  builder.allocated(2, 300);
  builder.freed(3, 50);
  builder.sampled(12, {.resident_bytes = 4096, .break_bytes = 512, .mapped_bytes = 8192});
  const model::Timeline timeline = builder.finish(12);
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
  TimelineBuilder builder(8, 10);
  builder.allocated(5, 100);
  builder.freed(45, 0);
  const model::Timeline timeline = builder.finish(45);
  ASSERT_EQ(timeline.buckets.size(), 5U);
  EXPECT_EQ(timeline.buckets[2].most_live_bytes, 100U);
  EXPECT_EQ(timeline.buckets[4].most_live_bytes, 100U);
  EXPECT_EQ(timeline.buckets[4].last_live_bytes, 0U);
}

TEST(TimelineTest, WhereThereAreTooManyTwoBecomeOne) {
  TimelineBuilder builder(4, 10);
  for (std::uint64_t i = 0; i < 100; ++i) builder.allocated(i, i);
  const model::Timeline timeline = builder.finish(99);
  EXPECT_EQ(timeline.bucket_ns, 40U);
  ASSERT_EQ(timeline.buckets.size(), 3U);
  EXPECT_EQ(timeline.buckets[0].most_live_bytes, 39U);
  EXPECT_EQ(timeline.buckets[0].allocations, 40U);
  EXPECT_EQ(timeline.buckets[2].last_live_bytes, 99U);
  EXPECT_EQ(timeline.buckets[2].allocations, 20U);
}

TEST(TimelineTest, AnyTimeHasABucket) {
  TimelineBuilder builder(5, 1);
  builder.allocated(0, 7);
  builder.allocated(UINT64_MAX, 9);
  builder.freed(UINT64_MAX, 1);
  const model::Timeline timeline = builder.finish(UINT64_MAX);
  EXPECT_LE(timeline.buckets.size(), 5U);
  EXPECT_EQ(timeline.buckets.front().most_live_bytes, 7U);
  EXPECT_EQ(timeline.buckets.back().most_live_bytes, 9U);
  EXPECT_EQ(timeline.buckets.back().last_live_bytes, 1U);
}

}  // namespace
}  // namespace mini::sources
