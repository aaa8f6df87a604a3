// The arithmetic against figures that were seen: the article's and those of glibc 2.36 in a pipe.
#include "lab/heap_plan.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

Machine machine(std::string version) {
  Machine made;
  made.glibc_version = std::move(version);
  made.page_size = Bytes{4096};
  return made;
}

TEST(HeapPlanTest, PlacesTheBlocksOfTheArticle) {
  const Machine here = machine("2.36");
  HeapPlan plan(here);
  plan.place(Bytes{1024});  // stdio's buffer for a terminal
  EXPECT_EQ(plan.place(Bytes{1000}).user, Bytes{0x6b0});
  EXPECT_EQ(plan.place(Bytes{1000}).user, Bytes{0xaa0});
  EXPECT_EQ(plan.place(Bytes{1000}).user, Bytes{0xe90});
  EXPECT_EQ(plan.growths(), std::vector<Bytes>{Bytes{0x21000}});
}

TEST(HeapPlanTest, TheBufferForAPipeIsLonger) {
  const Machine here = machine("2.36");
  HeapPlan plan(here);
  plan.place(Bytes{4096});
  EXPECT_EQ(plan.place(Bytes{1000}).user, Bytes{0x12b0});
}

TEST(HeapPlanTest, WithoutAThreadCacheTheFirstBlockIsFirst) {
  const Machine old = machine("2.25");
  HeapPlan plan(old);
  EXPECT_EQ(plan.thread_cache(), Bytes{});
  EXPECT_EQ(plan.place(Bytes{1000}).user, Bytes{16});
  EXPECT_EQ(plan.growths(), std::vector<Bytes>{Bytes{0x21000}});
}

TEST(HeapPlanTest, GrowsAgainOnlyWhenTheTopChunkIsTooSmall) {
  const Machine here = machine("2.36");
  HeapPlan plan(here);
  while (plan.growths().size() < 2) {
    const Bytes top = plan.top();
    plan.place(Bytes{1000});
    if (plan.growths().size() == 2) {
      EXPECT_LT(top, Bytes{1008 + 32});
      // chunk + top pad + 32 - what was left, rounded up to pages
      const std::uint64_t asked = 1008 + 131072 + 32 - top.count;
      EXPECT_EQ(plan.growths().back(), Bytes{(asked + 4095) / 4096 * 4096});
    }
  }
}

}  // namespace
}  // namespace mini::lab
