// Blocks that are freed right after a larger one was allocated for the same stack.
#include <cstdint>
#include <gtest/gtest.h>

#include "heap_profile_story.h"

namespace mini::sources {
namespace {

using model::Amount;
using model::HeapProfile;
using recording::CallKind;

const model::StackProfile& stack_of(const HeapProfile& profile, std::uint32_t node) {
  static const model::StackProfile none;
  for (const model::StackProfile& stack : profile.stacks) {
    if (stack.node == node) return stack;
  }
  return none;
}

TEST(HeapProfileGrowthTest, ABlockIsOutgrownThatALargerOneReplaces) {
  Story story;
  story.gets(1, 0x100, 10).gets(2, 0x200, 20).frees(3, 0x100).gets(4, 0x300, 40).frees(5, 0x200);
  const HeapProfile profile = story.frees(6, 0x300).end();
  EXPECT_EQ(stack_of(profile, kParse).outgrown, (Amount{2, 30}));
  EXPECT_EQ(stack_of(profile, kParse).replaced, Amount());
}

TEST(HeapProfileGrowthTest, OneThatIsNoLargerReplacesIt) {
  Story story;
  story.gets(1, 0x100, 10).gets(2, 0x200, 10).frees(3, 0x100).gets(4, 0x300, 5).frees(5, 0x200);
  const HeapProfile profile = story.end();
  EXPECT_EQ(stack_of(profile, kParse).outgrown, Amount());
  EXPECT_EQ(stack_of(profile, kParse).replaced, (Amount{2, 20}));
}

TEST(HeapProfileGrowthTest, OfAnotherStackOrThreadOrLaterItIsNot) {
  Story story;
  story.gets(1, 0x100, 10).gets(2, 0x200, 20, kLoad).frees(3, 0x100);            // another stack
  story.gets(4, 0x300, 10).gets(5, 0x400, 20, kParse, 2).frees(6, 0x300);        // another thread's
  story.gets(7, 0x500, 10).gets(8, 0x600, 20).frees(9, 0x200).frees(10, 0x500);  // in between
  story.gets(11, 0x700, 30).frees(12, 0x600, 2);  // by another thread
  const HeapProfile profile = story.end();
  EXPECT_EQ(stack_of(profile, kParse).outgrown, Amount());
  EXPECT_EQ(stack_of(profile, kParse).replaced, Amount());
}

TEST(HeapProfileGrowthTest, AReallocIsNoGrowthOfThisSort) {
  Story story;
  const auto resizes = [&](std::uint64_t time_ns, std::uint64_t from, std::uint64_t to,
                           std::uint64_t bytes) {
    story.frees(time_ns, from);
    story.allocation({.time_ns = time_ns,
                      .thread = 1,
                      .address = Address{to},
                      .requested_bytes = bytes,
                      .stack = kParse,
                      .kind = CallKind::kRealloc});
  };
  story.gets(1, 0x100, 10).gets(2, 0x200, 20);
  resizes(3, 0x100, 0x300, 30);
  resizes(4, 0x200, 0x400, 15);
  story.gets(5, 0x500, 50).keeps(6, 0x300);  // a realloc that failed
  const HeapProfile profile = story.end();
  EXPECT_EQ(stack_of(profile, kParse).outgrown, Amount());
  EXPECT_EQ(stack_of(profile, kParse).replaced, Amount());
}

TEST(HeapProfileGrowthTest, CountsThePagesThatBlocksAreLiveIn) {
  const auto begun = [](Story& story) -> Story& {
    story.gets(1, 0x10000, 1 << 20).gets(2, 0x200ff0, 0x20).gets(3, 0x201100, 8, kLoad);
    return story.gets(4, 0x201200, 8);
  };
  Story full;
  EXPECT_EQ(begun(full).end().live_pages, 0U) << "most of the peak is live";
  Story sparse;
  const HeapProfile profile = begun(sparse).frees(5, 0x10000).end();
  EXPECT_EQ(profile.live_pages, 2U);
  EXPECT_EQ(stack_of(profile, kParse).live_pages, 2U);
  EXPECT_EQ(stack_of(profile, kLoad).live_pages, 1U);
}

}  // namespace
}  // namespace mini::sources
