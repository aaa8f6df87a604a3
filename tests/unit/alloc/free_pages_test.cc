// Which pages are free: first fit, against a model that remembers every page by itself.
#include "alloc/free_pages.h"

#include <optional>
#include <vector>

#include "alloc/check.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

class FreePagesTest : public KernelTest {
 protected:
  // Makes pages usable and free. Returns where.
  PageRun grow(std::uint32_t count) {
    PageRun fresh{page(0), pages(count)};
    if (window_->placed()) {
      EXPECT_TRUE(window_->grow(pages(count), &fresh));
    } else {
      EXPECT_TRUE(window_->place(pages(count)));
    }
    free_.put(fresh);
    return fresh;
  }
  std::optional<std::uint32_t> take(std::uint32_t count) {
    PageIndex first;
    if (!free_.take(pages(count), &first)) return std::nullopt;
    return first.value;
  }
  void put(std::uint32_t first, std::uint32_t count) { free_.put({page(first), pages(count)}); }
  bool take_at(std::uint32_t first, std::uint32_t count) {
    return free_.take_at({page(first), pages(count)});
  }
  void check() { Checker::free_pages(free_); }

  std::unique_ptr<Window> window_ = std::make_unique<Window>();
  FreePages free_{*window_};
};

TEST_F(FreePagesTest, TakesTheLowestRunThatFits) {
  grow(kExtentPages);
  EXPECT_EQ(take(100), 0U);
  EXPECT_EQ(take(100), 100U);
  put(10, 5);
  EXPECT_EQ(take(6), 200U);
  EXPECT_EQ(take(5), 10U);
  check();
}

TEST_F(FreePagesTest, NothingIsTakenWhereNoRunIsLongEnough) {
  grow(100);
  EXPECT_EQ(take(101), std::nullopt);
  EXPECT_EQ(take(100), 0U);
  EXPECT_EQ(take(1), std::nullopt);
  EXPECT_EQ(free_.free_count(), pages(0));
}

TEST_F(FreePagesTest, ARunMayCrossExtentsWhereNoneFitsWithinOne) {
  grow(2 * kExtentPages);
  ASSERT_EQ(take(kExtentPages - 10), 0U);
  ASSERT_TRUE(take_at(kExtentPages + 20, kExtentPages - 20));
  EXPECT_EQ(take(25), kExtentPages - 10);
  check();
}

TEST_F(FreePagesTest, ARunLongerThanAnExtentIsFound) {
  grow(4 * kExtentPages);
  ASSERT_TRUE(take_at(100, 1));
  EXPECT_EQ(take(2 * kExtentPages), 101U);
  EXPECT_EQ(take(2 * kExtentPages), std::nullopt);
  check();
}

TEST_F(FreePagesTest, WhatIsPutBackIsFoundAgainBelowTheHints) {
  grow(4 * kExtentPages);
  ASSERT_EQ(take(4 * kExtentPages), 0U);
  ASSERT_EQ(take(1), std::nullopt);
  put(3, 2);
  check();
  EXPECT_EQ(take(2), 3U);
}

TEST_F(FreePagesTest, ARunThatJoinsTwoExtentsIsFoundOnceItExists) {
  grow(2 * kExtentPages);
  ASSERT_EQ(take(2 * kExtentPages), 0U);
  put(kExtentPages - 1, 1);
  ASSERT_EQ(take(2), std::nullopt);  // now known to be absent
  put(kExtentPages, 1);
  check();
  EXPECT_EQ(take(2), kExtentPages - 1);
}

TEST_F(FreePagesTest, FreshPagesAreFoundAfterHintsHaveReachedTheEnd) {
  grow(100);  // less than an extent: the next pages are in the same
  ASSERT_EQ(take(100), 0U);
  ASSERT_EQ(take(1), std::nullopt);
  grow(kExtentPages - 100);
  check();
  EXPECT_EQ(take(50), 100U);
}

TEST_F(FreePagesTest, ARunIsTakenAtAPlaceOnlyIfAllOfItIsFree) {
  grow(100);
  ASSERT_TRUE(take_at(50, 10));
  EXPECT_FALSE(take_at(40, 11));
  EXPECT_FALSE(take_at(59, 1));
  EXPECT_FALSE(take_at(90, 11));  // beyond the end
  EXPECT_EQ(free_.free_count(), pages(90));
  EXPECT_TRUE(take_at(40, 10));
  EXPECT_TRUE(take_at(60, 40));
  check();
}

TEST_F(FreePagesTest, TheTailIsWhatIsFreeAtTheEndAcrossExtents) {
  grow(2 * kExtentPages + 100);
  EXPECT_EQ(free_.tail(), pages(2 * kExtentPages + 100));
  ASSERT_TRUE(take_at(7, 1));
  EXPECT_EQ(free_.tail(), pages(2 * kExtentPages + 92));
  ASSERT_TRUE(take_at(2 * kExtentPages + 99, 1));
  EXPECT_EQ(free_.tail(), pages(0));
  put(2 * kExtentPages + 99, 1);
  ASSERT_TRUE(take_at(2 * kExtentPages + 10, 1));
  EXPECT_EQ(free_.tail(), pages(89));
}

// Which pages are free, each for itself, and where first fit must find a run: within one extent if
// there is one, across extents otherwise.
class Model {
 public:
  void grow(PageRun fresh) {
    free_.resize(fresh.end().value, false);
    put(fresh.first.value, fresh.count.count);
  }
  void put(std::uint32_t first, std::uint32_t count) { set(first, count, true); }
  void take(std::uint32_t first, std::uint32_t count) { set(first, count, false); }
  std::uint32_t size() const { return static_cast<std::uint32_t>(free_.size()); }
  bool all_free(std::uint32_t first, std::uint32_t count) const {
    for (std::uint32_t i = first; i < first + count; ++i) {
      if (i >= free_.size() || !free_[i]) return false;
    }
    return true;
  }
  std::optional<std::uint32_t> first_fit(std::uint32_t count) const {
    const std::optional<std::uint32_t> within = find(count, true);
    return within ? within : find(count, false);
  }

 private:
  void set(std::uint32_t first, std::uint32_t count, bool free) {
    for (std::uint32_t i = first; i < first + count; ++i) free_.at(i) = free;
  }
  std::optional<std::uint32_t> find(std::uint32_t count, bool within_extent) const {
    std::uint32_t run = 0;
    for (std::uint32_t i = 0; i < free_.size(); ++i) {
      if (within_extent && i % kExtentPages == 0) run = 0;
      run = free_[i] ? run + 1 : 0;
      if (run == count) return i + 1 - count;
    }
    return std::nullopt;
  }

  std::vector<bool> free_;
};

class RandomRuns : public FreePagesTest {
 protected:
  void step() {
    const std::uint32_t what = random_.below(100);
    if (what < 45) return take_one();
    if (what < 90) return put_one();
    if (what < 97) return take_one_at();
    if (model_.size() < 5 * kExtentPages) model_.grow(grow(random_.between(1, 400)));
  }

  test::Random random_{1};
  Model model_;

 private:
  std::uint32_t any_count() {
    return static_cast<std::uint32_t>(1 + random_.size_up_to(kExtentPages * 3 / 2));
  }
  void take_one() {
    const std::uint32_t count = any_count();
    const std::optional<std::uint32_t> expected = model_.first_fit(count);
    ASSERT_EQ(take(count), expected) << count;
    if (expected) add(*expected, count);
  }
  void take_one_at() {
    const std::uint32_t first = random_.below(model_.size());
    const std::uint32_t count = any_count();
    const bool expected = model_.all_free(first, count);
    ASSERT_EQ(take_at(first, count), expected);
    if (expected) add(first, count);
  }
  void put_one() {
    if (taken_.empty()) return;
    auto& run = taken_[random_.below(static_cast<std::uint32_t>(taken_.size()))];
    // Sometimes only its end: whoever takes a run may return it in parts.
    const std::uint32_t part = random_.one_in(3) ? random_.between(1, run.second) : run.second;
    run.second -= part;
    put(run.first + run.second, part);
    model_.put(run.first + run.second, part);
    if (run.second != 0) return;
    run = taken_.back();
    taken_.pop_back();
  }
  void add(std::uint32_t first, std::uint32_t count) {
    model_.take(first, count);
    taken_.emplace_back(first, count);
  }

  std::vector<std::pair<std::uint32_t, std::uint32_t>> taken_;
};

TEST_F(RandomRuns, AreFoundWhereTheModelFindsThem) {
  model_.grow(grow(100));
  for (int i = 0; i < 20'000; ++i) {
    ASSERT_NO_FATAL_FAILURE(step()) << "step " << i;
    if (i % 16 == 0) check();
  }
  EXPECT_EQ(model_.size(), window_->end().count);
}

TEST_F(RandomRuns, AreFoundWhereTheModelFindsThemAroundGaps) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  model_.grow(grow(100));
  vm().occupy(window_->address(page(700)), kPageBytes);
  while (window_->end().count < 10'000) model_.grow(grow(300));
  for (int i = 0; i < 1'000; ++i) {
    ASSERT_NO_FATAL_FAILURE(step()) << "step " << i;
    if (i % 16 == 0) check();
  }
}

}  // namespace
}  // namespace mini::alloc
