// Whose the pages are that the program maps itself.
#include <cstdint>
#include <gtest/gtest.h>

#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::HeapProfile;

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

}  // namespace
}  // namespace mini::sources
