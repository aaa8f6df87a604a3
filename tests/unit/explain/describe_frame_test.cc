#include <gtest/gtest.h>

#include "explain/explainer.h"
#include "story.h"

namespace mini::explain {
namespace {

TEST(DescribeFrameTest, SaysWhatIsKnown) {
  const auto stack = stack_of("?@c ?@c __GI___libc_malloc@c xmalloc@p main@p:heap_spy.c:7 ?@p ?@-");
  EXPECT_EQ(describe_frame(*stack, 0), "libc internal, under __libc_malloc");
  EXPECT_EQ(describe_frame(*stack, 1), "libc internal, under __libc_malloc");
  EXPECT_EQ(describe_frame(*stack, 3), "xmalloc in prog");
  EXPECT_EQ(describe_frame(*stack, 4), "main at heap_spy.c:7");
  EXPECT_EQ(describe_frame(*stack, 5), "prog+0x0");
  EXPECT_EQ(describe_frame(*stack, 6), "code made at run time, 0x0");
  EXPECT_EQ(describe_frame(*stack, 7), "");
}

TEST(DescribeFrameTest, NeverTakesANameFromAnotherModule) {
  const auto stack = stack_of("?@c work@p malloc@c");
  EXPECT_EQ(describe_frame(*stack, 0), "libc internal");
  EXPECT_EQ(describe_frame(*stack_of("?@l ?@l"), 0), "loader internal");
}

}  // namespace
}  // namespace mini::explain
