// Which free pages keep their memory, and which give it back: to what limit, in what order, when.
#include <algorithm>
#include <vector>

#include "residency_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::VmCall;
using test::VmRecord;

class ResidencyReleaseTest : public ResidencyTest {
 protected:
  static std::vector<VmRecord> released() { return vm().records(VmCall::kDiscard); }
  void settle_fully() {
    for (int i = 0; i < 1000 && !settle(); ++i) vm().advance(kSecond);
  }
  // As far as anybody knows, all of it was written.
  PageRun take_filled(PageCount count) { return take(count, Touch::kLazily); }
  static constexpr PageCount kGap = pages(14);
  // Of each 32 pages of some extents, the first ones are free.
  std::vector<PageRun> extents_with_many_gaps(std::uint32_t count) {
    std::vector<PageRun> runs;
    for (std::uint32_t i = 0; i < count; ++i) {
      runs.push_back(take(extents(1)));
      write(runs.back());
    }
    put_gaps(runs);
    return runs;
  }
  void put_gaps(const std::vector<PageRun>& runs) {
    for (const PageRun& run : runs) {
      for (std::uint32_t i = 0; i < kExtentPages; i += 32) put({run.first + pages(i), kGap});
    }
  }
  // A program whose use goes up and down by `swing`. Returns the calls that gave memory back.
  std::size_t discards_of_tides(int count, PageCount swing) {
    vm().forget_records();
    for (int i = 0; i < count; ++i) {
      put(take_filled(swing));
      settle();
      vm().advance(kSecond / 100);
    }
    return discards();
  }
};

// ── How much may stay ────────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyReleaseTest, ALittleThatIsFreeStays) {
  const PageRun run = take(pages(100));
  write(run);
  put(run);
  vm().advance(10 * kSecond);
  EXPECT_TRUE(settle());
  EXPECT_EQ(discards(), 0U);
}

TEST_F(ResidencyReleaseTest, WhatStaysFollowsWhatIsInUse) {
  PageCount before;
  for (const std::uint32_t in_use : {0U, 100U, 1000U}) {
    set_elsewhere(mebibytes(in_use));
    grow(extents(100));  // that nobody had before
    put(take_at({page(window().end().count) - extents(100), extents(100)}, Touch::kLazily));
    settle_fully();
    EXPECT_GE(memory().resident_free(), before);
    EXPECT_LE(memory().resident_free(), mebibytes(4 + in_use / 10));
    before = memory().resident_free();
    check();
  }
  EXPECT_GT(before, mebibytes(8));
}

TEST_F(ResidencyReleaseTest, WhatStaysIsWhatTheUserChose) {
  for (const std::size_t chosen : {std::size_t{64} << 20, std::size_t{8} << 20, std::size_t{0}}) {
    retain(chosen);
    put(take_filled(extents(64)));
    settle_fully();
    EXPECT_LE(memory().resident_free().bytes(), chosen);
    EXPECT_GE(memory().resident_free().bytes(), chosen / 2);
    memory().release_all();
  }
}

TEST_F(ResidencyReleaseTest, AllThatIsFreeGoesWhereThatIsAskedFor) {
  const PageRun whole = take(extents(3));
  const PageRun run = take(pages(100));
  write(whole);
  write(run);
  put(whole);
  // Every second page: runs that are not worth a call otherwise.
  for (std::uint32_t i = 0; i < 100; i += 2) put({run.first + pages(i), pages(1)});
  EXPECT_GE(memory().release_all(), extents(3) + pages(50));
  EXPECT_EQ(memory().resident_free(), pages(0));
  EXPECT_EQ(resident(run), 50U);
  EXPECT_EQ(memory().release_all(), pages(0));
  check_against_kernel();
}

// ── In what order ────────────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyReleaseTest, WholeExtentsGoFirstFromTheTopByOneCall) {
  const PageRun whole = take(extents(10));
  write(whole);
  const std::vector<PageRun> parts = extents_with_pages_in_use(8, kExtentPages / 2);
  put(whole);
  vm().forget_records();
  settle();
  ASSERT_EQ(released().size(), 1U);
  EXPECT_EQ(released()[0].at + released()[0].bytes, window().address(whole.end()));
  EXPECT_EQ(released()[0].bytes % kExtentBytes, 0U);
  for (const PageRun& part : parts) EXPECT_EQ(resident(part), kExtentPages);
  check();
}

TEST_F(ResidencyReleaseTest, TheLowestOfWholeExtentsStay) {
  retain(8 * kExtentBytes);
  const PageRun whole = take(extents(20));
  write(whole);
  put(whole);
  settle();
  const PageRun low{whole.first, extents(4)};
  const PageRun high{whole.first + extents(12), extents(8)};
  EXPECT_EQ(resident(low), low.count.count);
  EXPECT_EQ(resident(high), 0U);
  check_against_kernel();
}

TEST_F(ResidencyReleaseTest, ExtentsThatAreAboutToBeUsedStayWhole) {
  const std::vector<PageRun> runs = extents_with_pages_in_use(20, kExtentPages / 2);
  set_elsewhere(mebibytes(100));
  EXPECT_FALSE(settle());
  EXPECT_EQ(discards(), 0U);
}

TEST_F(ResidencyReleaseTest, PartsGoOnceTheirExtentIsCold) {
  const std::vector<PageRun> runs = extents_with_pages_in_use(20, kExtentPages / 2);
  set_elsewhere(mebibytes(100));
  vm().advance(3 * kSecond);
  settle_fully();
  EXPECT_LE(memory().resident_free(), mebibytes(10));
  for (const PageRun& run : runs) {
    EXPECT_EQ(resident({run.first, pages(kExtentPages / 2)}), kExtentPages / 2);
  }
  check_against_kernel();
}

TEST_F(ResidencyReleaseTest, AnExtentThatIsUsedNowAndThenIsNotCold) {
  const std::vector<PageRun> runs = extents_with_pages_in_use(20, kExtentPages / 2);
  set_elsewhere(mebibytes(100));
  vm().forget_records();
  for (int i = 0; i < 20; ++i) {
    vm().advance(kSecond / 4);
    for (const PageRun& run : runs) put(take_at({run.first + pages(kExtentPages / 2), pages(1)}));
    settle();
  }
  EXPECT_EQ(discards(), 0U);
}

TEST_F(ResidencyReleaseTest, PartsGoAtOnceWhereHardlyAnythingIsInUse) {
  extents_with_pages_in_use(20, 2);
  set_elsewhere(mebibytes(100));
  settle_fully();
  EXPECT_LE(memory().resident_free(), mebibytes(10));
  check();
}

TEST_F(ResidencyReleaseTest, PartsGoAtOnceWhereTheWholeHeapEmpties) {
  extents_with_pages_in_use(20, kExtentPages / 8);
  settle();
  EXPECT_GT(discards(), 0U);
  check_against_kernel();
}

// As where large blocks shrink in place: each keeps a part of its extent.
TEST_F(ResidencyReleaseTest, LongRunsGoAtOnceWhereMoreIsFreeThanInUse) {
  const std::vector<PageRun> runs = extents_with_pages_in_use(20, 2 * kExtentPages / 5);
  ASSERT_GT(memory().resident_free(), used());
  settle_fully();
  EXPECT_LE(memory().resident_free(), used());
  EXPECT_EQ(resident({runs[0].first, pages(2 * kExtentPages / 5)}), 2 * kExtentPages / 5);
  check_against_kernel();
}

// As where small blocks of all sizes are freed at random.
TEST_F(ResidencyReleaseTest, ShortRunsGoAtOnceWhereMuchIsFreeInThem) {
  extents_with_many_gaps(60);
  ASSERT_LT(memory().resident_free(), used());
  for (int i = 0; i < 200 && !settle(); ++i) continue;
  EXPECT_LE(memory().resident_free(), PageCount{used().count / 2});
  check_against_kernel();
}

TEST_F(ResidencyReleaseTest, TheyStayWhereEachIsACallOfItsOwn) {
  vm().discard_many_at_once(false);
  extents_with_many_gaps(60);
  for (int i = 0; i < 200 && !settle(); ++i) continue;
  EXPECT_EQ(discards(), 0U);
}

TEST_F(ResidencyReleaseTest, TheyStayForAWhileWhereTheyAreSoonWantedAgain) {
  const std::vector<PageRun> runs = extents_with_many_gaps(60);
  const auto settle_at_once = [&] {
    vm().forget_records();
    for (int i = 0; i < 200 && !settle(); ++i) continue;
    return discards();
  };
  EXPECT_GT(settle_at_once(), 0U);
  for (const PageRun& run : runs) {
    for (std::uint32_t i = 0; i < kExtentPages; i += 32) take_at({run.first + pages(i), kGap});
  }
  put_gaps(runs);
  EXPECT_EQ(settle_at_once(), 0U);
}

TEST_F(ResidencyReleaseTest, ScatteredPagesAreWorthACallOnceTheyAreCold) {
  std::vector<PageRun> runs;
  for (int i = 0; i < 12; ++i) {
    runs.push_back(take(extents(1)));
    write(runs.back());
  }
  for (const PageRun& run : runs) {
    for (std::uint32_t i = 0; i < kExtentPages; i += 8) put({run.first + pages(i), pages(4)});
  }
  retain(0);
  EXPECT_FALSE(settle());
  EXPECT_EQ(discards(), 0U);
  vm().advance(10 * kSecond);
  // One call after the other goes on, without waiting.
  for (int i = 0; i < 100 && !settle(); ++i) continue;
  EXPECT_EQ(memory().resident_free(), pages(0));
  EXPECT_EQ(resident({runs[0].first, extents(1)}), kExtentPages / 2);
  check_against_kernel();
}

// ── What it costs ────────────────────────────────────────────────────────────────────────────────

// Else the kernel's khugepaged would bring the rest of it back.
TEST_F(ResidencyReleaseTest, AnExtentThatGaveAPartBackMayBeHugeNoMore) {
  set_elsewhere(mebibytes(64));
  const PageRun run = take(extents(2));
  const PageRun part{run.first + pages(100), pages(300)};
  ASSERT_TRUE(extent_of(run).huge);
  put(part);
  memory().release_all();
  EXPECT_FALSE(extent_of(run).huge);
  EXPECT_EQ(vm().records(VmCall::kAllowHuge).back().at, address(run));
  EXPECT_FALSE(vm().records(VmCall::kAllowHuge).back().allow);
  EXPECT_TRUE(window().extent(run.first.extent() + 1).huge);  // which is whole
  ASSERT_EQ(vm().records(VmCall::kBreakUp).size(), 1U);
  EXPECT_EQ(vm().records(VmCall::kBreakUp)[0].at, address({run.first + pages(511), pages(1)}));
  vm().forget_records();
  take_at(part);
  EXPECT_TRUE(extent_of(run).huge);
  EXPECT_EQ(huge_requests(), 1U);
}

TEST_F(ResidencyReleaseTest, OneThatGaveAllBackMayBeHugeAsBefore) {
  set_elsewhere(mebibytes(64));
  const PageRun run = take(extents(1));
  put(run);
  vm().forget_records();
  memory().release_all();
  EXPECT_TRUE(vm().records(VmCall::kAllowHuge).empty());
  EXPECT_TRUE(extent_of(run).huge);
}

TEST_F(ResidencyReleaseTest, NorMayOneOfWhichAPartWasMovedAway) {
  set_elsewhere(mebibytes(64));
  const PageRun run = take(extents(1));
  memory().on_emptied({run.first, pages(300)});
  EXPECT_FALSE(extent_of(run).huge);
}

TEST_F(ResidencyReleaseTest, OneCallGivesBackABoundedPart) {
  std::vector<PageRun> runs;
  for (int i = 0; i < 100; ++i) runs.push_back(take_filled(extents(1)));
  for (std::size_t i = 0; i < runs.size(); i += 2) put(runs[i]);
  retain(0);
  vm().forget_records();
  EXPECT_FALSE(settle());
  EXPECT_GT(discards(), 0U);
  EXPECT_LE(discards(), 40U);
  vm().advance(kSecond);
  EXPECT_TRUE(settle());
  EXPECT_EQ(memory().resident_free(), pages(0));
  check();
}

TEST_F(ResidencyReleaseTest, WhatCannotGoIsNotTriedAgainAtOnce) {
  put(take_filled(extents(20)));
  vm().fail_all_of(VmCall::kDiscard);
  settle();
  const std::size_t tried = discards();
  EXPECT_GT(tried, 0U);
  for (int i = 0; i < 100; ++i) EXPECT_FALSE(settle());
  EXPECT_EQ(discards(), tried);
  vm().fail_never();
  vm().advance(kSecond);
  settle_fully();
  EXPECT_LE(memory().resident_free(), mebibytes(4));
  check();
}

// ── Regret ───────────────────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyReleaseTest, WhatIsSoonWantedAgainIsKept) {
  const PageCount swing = mebibytes(16);
  EXPECT_GT(discards_of_tides(3, swing), 0U);
  discards_of_tides(10, swing);
  EXPECT_EQ(discards_of_tides(10, swing), 0U);
}

TEST_F(ResidencyReleaseTest, RegretIsForgottenAfterAQuietWhile) {
  const PageCount swing = mebibytes(16);
  put(take_filled(swing + extents(10)));
  discards_of_tides(20, swing);
  EXPECT_GE(memory().resident_free(), swing);
  for (int seconds = 0; seconds < 20; ++seconds) {
    vm().advance(kSecond);
    settle_fully();
  }
  EXPECT_LE(memory().resident_free(), mebibytes(6));
}

TEST_F(ResidencyReleaseTest, RegretHasAnEnd) {
  discards_of_tides(20, mebibytes(128));
  settle_fully();
  EXPECT_LE(memory().resident_free(), mebibytes(48));
}

// ── All of it ────────────────────────────────────────────────────────────────────────────────────

class ResidencyModelTest : public ResidencyReleaseTest {
 protected:
  ~ResidencyModelTest() override {
    for (const PageRun& run : runs_) put(run);
  }

  // Of all calls from now on, a fourth fails.
  void fail_at_random(std::uint64_t seed) {
    vm().fail_where([seed](VmCall, std::uint64_t, std::uint64_t n) {
      return test::Random(seed * 1'000'000 + n).one_in(4);
    });
  }
  void step(test::Random& random) {
    set_elsewhere(mebibytes(random.one_in(2) ? 200 : 1));
    vm().advance(random.below(kSecond / 2));
    if (runs_.size() < 20 && random.one_in(2)) {
      take_one(random);
    } else if (!runs_.empty()) {
      const std::size_t i = random.below(static_cast<std::uint32_t>(runs_.size()));
      put(runs_[i]);
      runs_.erase(runs_.begin() + static_cast<std::ptrdiff_t>(i));
      settle();
    }
    check();
  }

 private:
  void take_one(test::Random& random) {
    const std::uint32_t count = 1 + static_cast<std::uint32_t>(random.size_up_to(700));
    const PageRun run = take(pages(count), random.one_in(3) ? Touch::kLazily : Touch::kSoon);
    for (std::uint32_t i = 0; i < count; ++i) {
      std::byte& first = address(run)[i * kPageBytes];
      if (zeroed()) {
        ASSERT_EQ(first, std::byte{0});
      }
      first = std::byte{1};
    }
    runs_.push_back(run);
  }

  std::vector<PageRun> runs_;
};

// Whatever comes, and whatever the kernel refuses.
TEST_F(ResidencyModelTest, TheBooksAgreeWithTheKernels) {
  for (std::uint64_t seed = 1; seed <= 8; ++seed) {
    SCOPED_TRACE(seed);
    test::Random random(seed);
    vm().set_huge_pages(seed % 2 == 0 ? kernel::vm::HugePages::kAlways
                                      : kernel::vm::HugePages::kOnAdvice);
    vm().fail_never();
    grow(extents(20));  // more than all runs together
    fail_at_random(seed);
    for (int i = 0; i < 200; ++i) {
      step(random);
      if (HasFatalFailure()) return;
    }
    check_against_kernel();
  }
}

}  // namespace
}  // namespace mini::alloc
