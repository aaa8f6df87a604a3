// Stacks through all kinds of frames, by two unwinders, and by walks that join the one before.
#include "shapes.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <random>
#include <string>

#include "unwinding.h"

namespace mini::unwind::self {
namespace {

const Shape& shape(std::size_t number) {
  return number < kShapeCount ? shapes_sp::kShapes[number]
                              : shapes_bp::kShapes[number - kShapeCount];
}

struct Visit {
  Taker& taker;
  std::size_t number;

  static void here(void* self) {
    auto& visit = *static_cast<Visit*>(self);
    const Both both = visit.taker.take();
    expect_same(both, kShapeNames[visit.number % kShapeCount]);
  }
};

TEST(ShapesTest, EachAlone) {
  Taker taker;
  for (std::size_t i = 0; i < 2 * kShapeCount; ++i) {
    Visit visit{taker, i};
    shape(i)({&Visit::here, &visit}, i);
    Visit::here(&visit);
  }
  EXPECT_GT(taker.unwinder().counters().reused_frames, 0U);
}

// A program that goes up and down its stack as the dice say, through frames of all kinds and sizes,
// and looks at the stack on its way. What is left of frames that are gone is everywhere.
class Wanderer {
 public:
  Wanderer(std::uint64_t seed, std::uint32_t max_depth) : taker_(max_depth), dice_(seed) {}

  void wander(int steps) {
    steps_ = steps;
    while (steps_ > 0) deeper(this);
  }
  const WalkCounters& counters() const { return taker_.unwinder().counters(); }
  std::uint32_t most_unchanged() const { return most_unchanged_; }

 private:
  static void deeper(void* context) {
    auto& self = *static_cast<Wanderer*>(context);
    // Few shapes and sizes at a time: frames then often begin where others did.
    while (--self.steps_ > 0 && self.dice_() % 5 != 0 && self.depth_ < 60) {
      if (self.dice_() % 2 == 0) self.look();
      ++self.depth_;
      const std::size_t number = self.dice_() % (2 * kShapeCount);
      shape(number % kShapeCount == 1 ? 0 : number)({&deeper, context}, self.dice_() % 3);
      --self.depth_;
    }
  }

  [[gnu::noinline]] void look() {
    const Both both = taker_.take();
    if (both.end == StackEnd::kComplete) {
      EXPECT_EQ(both.ours, both.theirs);
    }
    most_unchanged_ = std::max(most_unchanged_, both.unchanged_outer);
    // What has not changed: the same as in the walk before, from the outermost on.
    ASSERT_LE(both.unchanged_outer, both.ours.size());
    ASSERT_LE(both.unchanged_outer, before_.size());
    const std::vector<std::uintptr_t> now(both.ours.end() - both.unchanged_outer, both.ours.end());
    const std::vector<std::uintptr_t> then(before_.end() - both.unchanged_outer, before_.end());
    EXPECT_EQ(now, then);
    before_ = both.ours;
  }

  Taker taker_;
  std::mt19937_64 dice_;
  int steps_ = 0;
  int depth_ = 0;
  std::uint32_t most_unchanged_ = 0;
  std::vector<std::uintptr_t> before_;
};

TEST(ShapesTest, WalksThatJoinFindWhatFreshOnesFind) {
  for (std::uint64_t seed = 1; seed <= 4; ++seed) {
    Wanderer wanderer(seed, SelfUnwinder::kDefaultMaxDepth);
    wanderer.wander(1500);
    ASSERT_FALSE(testing::Test::HasFailure()) << "seed " << seed;
    EXPECT_GT(wanderer.most_unchanged(), 30U);
    EXPECT_GT(wanderer.counters().reused_frames, wanderer.counters().frames / 4);
  }
}

TEST(ShapesTest, SoDoThoseThatAreCutShort) {
  for (const std::uint32_t max_depth : {1U, 2U, 7U, 25U}) {
    Wanderer wanderer(max_depth, max_depth);
    wanderer.wander(1000);
    ASSERT_FALSE(testing::Test::HasFailure()) << "depth " << max_depth;
    const auto limit = static_cast<std::size_t>(StackEnd::kDepthLimit);
    EXPECT_GT(wanderer.counters().ends[limit], 100U);
  }
}

}  // namespace
}  // namespace mini::unwind::self
