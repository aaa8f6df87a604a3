// The stages' arithmetic against figures that were seen.
#include "lab/stage_plan.h"

#include <gtest/gtest.h>

namespace mini::lab {
namespace {

TEST(StagePlanTest, AChunkGrowsWithTheStages) {
  EXPECT_EQ(stage_chunk(1, Bytes{1}), Bytes{16});
  EXPECT_EQ(stage_chunk(1, Bytes{24}), Bytes{32});
  EXPECT_EQ(stage_chunk(2, Bytes{16}), Bytes{32});
  EXPECT_EQ(stage_chunk(2, Bytes{24}), Bytes{48});
  EXPECT_EQ(stage_chunk(3, Bytes{0}), Bytes{32});  // room for the links
  EXPECT_EQ(stage_chunk(8, Bytes{1000}), Bytes{1024});
}

TEST(StagePlanTest, OneGrowthForEachBlockUntilStage7) {
  EXPECT_EQ(stage_growths(1, Bytes{1000}, 1000), 1000U);
  EXPECT_EQ(stage_growths(6, Bytes{1000}, 1000), 1000U);
}

TEST(StagePlanTest, Stage7BuysWholesale) {
  EXPECT_EQ(stage_growths(7, Bytes{1000}, 129), 1U);  // 129 x 1024 = 1024 + 128 KiB
  EXPECT_EQ(stage_growths(7, Bytes{1000}, 130), 2U);
  EXPECT_EQ(stage_growths(8, Bytes{1000}, 1000), 8U);
  EXPECT_EQ(stage_growths(7, Bytes{1000}, 0), 0U);
  // What is left of a stock is used with the next.
  EXPECT_EQ(stage_growths(7, Bytes{4000}, 33), 1U);
  EXPECT_EQ(stage_growths(7, Bytes{4000}, 100), 3U);
}

}  // namespace
}  // namespace mini::lab
