// Runs in slots beside a plain list of them that is searched one by one.
#include "alloc/kept_runs.h"

#include <gtest/gtest.h>
#include <map>
#include <optional>

#include "support/random.h"

namespace mini::alloc {
namespace {

constexpr PageRun run_of(std::uint32_t first, std::uint32_t count) {
  return {{first}, PageCount{count}};
}

TEST(KeptRunsTest, NoneAtFirst) {
  const KeptRuns runs;
  EXPECT_TRUE(runs.is_empty());
  EXPECT_EQ(runs.shortest(PageCount{1}), KeptRuns::kNone);
  EXPECT_EQ(runs.neighbours(run_of(0, 1)).before, KeptRuns::kNone);
  EXPECT_EQ(runs.neighbours(run_of(0, 1)).after, KeptRuns::kNone);
  EXPECT_FALSE(runs.has({0}));
}

TEST(KeptRunsTest, TheHeapsFirstPage) {
  KeptRuns runs;
  const std::uint32_t slot = runs.add(run_of(0, 1));
  EXPECT_EQ(runs.neighbours(run_of(1, 1)).before, slot);
  EXPECT_EQ(runs.neighbours(run_of(1, 1)).after, KeptRuns::kNone);
  EXPECT_TRUE(runs.has({0}));
  EXPECT_FALSE(runs.has({1}));
}

TEST(KeptRunsTest, LengthsAtTheirBounds) {
  KeptRuns runs;
  runs.add(run_of(100, 1));
  const std::uint32_t longest = runs.add(run_of(5000, KeptRuns::kLongest.count));
  EXPECT_EQ(runs.shortest(PageCount{2}), longest);
  EXPECT_EQ(runs.shortest(KeptRuns::kLongest), longest);
  EXPECT_EQ(runs.shortest(KeptRuns::kLongest + PageCount{1}), KeptRuns::kNone);
  EXPECT_EQ(runs.shortest(PageCount{UINT32_MAX}), KeptRuns::kNone);
  EXPECT_EQ(runs.run(longest).count, KeptRuns::kLongest);
  runs.remove(longest);
  EXPECT_EQ(runs.shortest(PageCount{2}), KeptRuns::kNone);
}

TEST(KeptRunsTest, EachSlotOnce) {
  KeptRuns runs;
  for (std::uint32_t i = 0; i < KeptRuns::kSlots; ++i) {
    EXPECT_FALSE(runs.is_full());
    EXPECT_EQ(runs.add(run_of(10 * i, 1 + i)), i);
  }
  EXPECT_TRUE(runs.is_full());
  EXPECT_EQ(runs.highest(), KeptRuns::kSlots - 1);
  EXPECT_EQ(runs.shortest(PageCount{20}), 19U);
  runs.remove(7);
  EXPECT_EQ(runs.count(), KeptRuns::kSlots - 1);
  EXPECT_EQ(runs.add(run_of(1000, 3)), 7U);
  EXPECT_EQ(runs.highest(), 7U);
}

/// The same answers, run by run.
class Reference {
 public:
  std::map<std::uint32_t, PageRun> runs;  // by slot

  std::optional<std::uint32_t> shortest(PageCount least) const {
    std::optional<std::uint32_t> length;
    for (const auto& [slot, run] : runs) {
      if (run.count < least || (length && *length <= run.count.count)) continue;
      length = run.count.count;
    }
    return length;
  }
  std::uint32_t beginning_at(PageIndex page) const {
    for (const auto& [slot, run] : runs) {
      if (run.first == page) return slot;
    }
    return KeptRuns::kNone;
  }
  std::uint32_t ending_at(PageIndex page) const {
    for (const auto& [slot, run] : runs) {
      if (run.end() == page) return slot;
    }
    return KeptRuns::kNone;
  }
};

TEST(KeptRunsTest, AsOneByOne) {
  KeptRuns runs;
  Reference reference;
  test::Random random(1);
  for (int i = 0; i < 20'000; ++i) {
    // In strips of 64 pages, so that no two overlap and some touch.
    const std::uint32_t strip = random.below(64);
    const PageIndex first{strip * 64};
    if (const std::uint32_t slot = reference.beginning_at(first); slot != KeptRuns::kNone) {
      runs.remove(slot);
      reference.runs.erase(slot);
    } else if (!runs.is_full()) {
      const PageRun run{first, PageCount{1 + random.below(64)}};
      reference.runs[runs.add(run)] = run;
    }
    const PageCount least{1 + random.below(70)};
    const std::uint32_t shortest = runs.shortest(least);
    const auto expected = reference.shortest(least);
    ASSERT_EQ(shortest != KeptRuns::kNone, expected.has_value());
    ASSERT_TRUE(!expected || runs.run(shortest).count.count == *expected);
    const PageIndex page{random.below(64 * 64)};
    const PageRun between{page, first < page ? PageCount{1} : first - page};
    const KeptRuns::Neighbours neighbours = runs.neighbours(between);
    ASSERT_EQ(neighbours.before, reference.ending_at(page));
    ASSERT_EQ(neighbours.after, reference.beginning_at(between.end()));
    ASSERT_EQ(runs.count(), reference.runs.size());
  }
}

}  // namespace
}  // namespace mini::alloc
