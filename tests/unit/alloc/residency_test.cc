// How pages get memory: populated in batches, huge, or by the program's own touch.
#include "alloc/residency.h"

#include <algorithm>
#include <vector>

#include "residency_test.h"

namespace mini::alloc {
namespace {

using kernel::vm::HugePages;
using test::VmCall;

// In use where huge pages pay, and where they do not.
constexpr PageCount kLarge = mebibytes(256);
constexpr PageCount kSmall = mebibytes(3);

// ── Batches ──────────────────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyTest, BatchesFollowWhatIsInUse) {
  std::size_t before = 0;
  for (const std::uint32_t in_use : {0U, 1U, 2U, 4U, 8U, 12U}) {
    set_elsewhere(mebibytes(in_use));
    grow(extents(1));
    vm().forget_records();
    const PageRun run = take_at({page(window().end().count) - extents(1), pages(1)});
    ASSERT_EQ(populated().size(), 1U);
    const test::VmRecord batch = populated()[0];
    EXPECT_EQ(batch.at, address(run));
    EXPECT_GE(batch.bytes, before);
    EXPECT_LE(batch.bytes, std::max(used().bytes() / 64, std::size_t{16} << 10));
    before = batch.bytes;
    check();
  }
  EXPECT_GE(before, std::size_t{128} << 10);
}

TEST_F(ResidencyTest, ABatchSavesTheCallsOfTheRunsAfterIt) {
  set_elsewhere(kSmall);
  grow(extents(1));
  vm().forget_records();
  take(pages(1));
  const std::size_t batch = populated().at(0).bytes / kPageBytes;
  EXPECT_EQ(memory().resident_free(), pages(static_cast<std::uint32_t>(batch) - 1));
  for (std::size_t i = 1; i < batch; ++i) {
    const PageRun run = take(pages(1));
    EXPECT_TRUE(zeroed());
    EXPECT_EQ(resident(run), 1U);
  }
  EXPECT_EQ(populated().size(), 1U);
  EXPECT_EQ(memory().resident_free(), pages(0));
  take(pages(1));
  EXPECT_EQ(populated().size(), 2U);
  check_against_kernel();
}

TEST_F(ResidencyTest, ABatchEndsAtTheNextPageInUse) {
  set_elsewhere(kSmall);
  grow(extents(1));
  const PageRun hole = take(pages(3));
  const PageRun neighbour = take(pages(1));
  put(hole);
  memory().release_all();
  vm().forget_records();
  take_at({hole.first, pages(1)});
  ASSERT_EQ(populated().size(), 1U);
  EXPECT_EQ(populated()[0].at + populated()[0].bytes, address(neighbour));
  check();
}

TEST_F(ResidencyTest, ARunThatIsLargerThanABatchIsPopulatedWhole) {
  grow(extents(1));
  const PageRun run = take(pages(200));
  EXPECT_EQ(resident(run), 200U);
  ASSERT_EQ(populated().size(), 1U);
  EXPECT_EQ(populated()[0].bytes, pages(200).bytes());
}

TEST_F(ResidencyTest, ALazilyTouchedRunGetsItsMemoryFromItsProgram) {
  set_elsewhere(kSmall);
  const PageRun run = take(pages(300), Touch::kLazily);
  EXPECT_EQ(populated().size(), 0U);
  EXPECT_EQ(resident(run), 0U);
  EXPECT_TRUE(zeroed());
  check();
}

TEST_F(ResidencyTest, AKernelThatCannotPopulateIsSeldomAsked) {
  vm().fail_all_of(VmCall::kPopulate);
  set_elsewhere(kSmall);
  for (int i = 0; i < 10; ++i) {
    const PageRun run = take(pages(7));
    EXPECT_TRUE(zeroed());
    write(run);
  }
  set_elsewhere(kLarge);
  for (int i = 0; i < 10; ++i) write(take(extents(1)));
  EXPECT_EQ(populated().size(), 1U);
  check_against_kernel();
}

// In a cgroup that is full just now, and whose programs wait then instead of being killed.
TEST_F(ResidencyTest, WhatCouldNotBePopulatedOnceMayBeLater) {
  set_elsewhere(kSmall);
  grow(extents(1));
  vm().fail_nth(VmCall::kPopulate, 1);
  write(take(pages(7)));
  write(take(pages(64)));
  EXPECT_EQ(populated().size(), 1U);
  vm().advance(2 * kSecond);
  EXPECT_EQ(resident(take(pages(64))), 64U);
  EXPECT_EQ(populated().size(), 2U);
  check_against_kernel();
}

// ── What reads as zeros ──────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyTest, WhatWasInUseIsNotTakenForZeros) {
  const PageRun run = take(pages(20));
  EXPECT_TRUE(zeroed());
  write(run);
  put(run);
  take_at({run.first + pages(19), pages(4)});
  EXPECT_FALSE(zeroed());
  take_at({run.first, pages(19)});
  EXPECT_FALSE(zeroed());
}

TEST_F(ResidencyTest, WhatWasGivenBackReadsAsZeros) {
  const PageRun run = take(pages(20));
  write(run);
  put(run);
  EXPECT_GE(memory().release_all(), pages(20));
  take_at(run);
  EXPECT_TRUE(zeroed());
  for (std::size_t i = 0; i < run.count.bytes(); ++i) ASSERT_EQ(address(run)[i], std::byte{0});
}

TEST_F(ResidencyTest, WhatTheKernelDoesNotTakeBackIsStillThere) {
  const PageRun run = take(pages(20));
  write(run);
  put(run);
  vm().fail_all_of(VmCall::kDiscard);
  const PageCount before = memory().resident_free();
  EXPECT_EQ(memory().release_all(), pages(0));
  EXPECT_EQ(memory().resident_free(), before);
  take_at(run);
  EXPECT_FALSE(zeroed());
  check();
}

TEST_F(ResidencyTest, ARunWhoseMemoryWasMovedAwayIsEmpty) {
  const PageRun run = take(pages(20));
  write(run);
  ASSERT_TRUE(kernel::vm::discard(address(run), run.count.bytes()));
  memory().on_emptied(run);
  put(run);
  check_against_kernel();
  take_at(run, Touch::kLazily);
  EXPECT_TRUE(zeroed());
}

// ── Huge pages ───────────────────────────────────────────────────────────────────────────────────

TEST_F(ResidencyTest, HugePagesWaitUntilTheHeapIsLargeEnough) {
  set_elsewhere(kSmall);
  take(extents(1));
  EXPECT_EQ(huge_requests(), 0U);
  set_elsewhere(kLarge);
  const PageRun run = take(extents(1));
  EXPECT_EQ(huge_requests(), 1U);
  EXPECT_TRUE(extent_of(run).huge);
}

class DearPagesTest : public ResidencyTest {
 protected:
  /// Extents that are backed by small pages in a heap that may not have huge ones yet.
  void take_small(std::uint32_t count) {
    set_elsewhere(mebibytes(5));
    for (std::uint32_t i = 0; i < count; ++i) {
      grow(extents(1));
      take(pages(20));
      take(pages(kExtentPages - 20));
    }
  }
  bool is_huge_from(PageCount in_use) {
    set_elsewhere(in_use);
    grow(extents(1));
    return extent_of(take(pages(8))).huge;
  }
};

TEST_F(DearPagesTest, WhereSmallPagesAreDearHugeOnesComeEarlier) {
  vm().set_populate_ns(10'000);
  take_small(1);
  EXPECT_TRUE(is_huge_from(mebibytes(10)));
}

TEST_F(DearPagesTest, WhereSmallPagesAreCheapTheyServeForLonger) {
  vm().set_populate_ns(300);
  take_small(1);
  EXPECT_FALSE(is_huge_from(mebibytes(10)));
}

TEST_F(DearPagesTest, TheLeastOfSeveralMeasurementsCounts) {
  vm().set_populate_ns(10'000);
  take_small(1);
  vm().set_populate_ns(300);
  take_small(1);
  EXPECT_FALSE(is_huge_from(mebibytes(10)));
}

TEST_F(DearPagesTest, WhatWasNotMeasuredIsNotDear) {
  EXPECT_FALSE(is_huge_from(mebibytes(10)));
}

class DearHugePagesTest : public DearPagesTest {
 protected:
  static constexpr std::uint64_t kSmallNs = 1'000;  // a page
  static constexpr std::uint64_t kDearNs = 9'000;

  DearHugePagesTest() {
    vm().set_populate_ns(kSmallNs);
    take_small(1);
    set_elsewhere(kLarge);
    write(take(extents(1), Touch::kLazily));  // the first large block has none in any case
  }
  /// Takes one more extent while a page of a huge one costs so much. Whether it became huge.
  bool takes_huge(std::uint64_t ns_a_huge_page, Touch touch = Touch::kSoon) {
    const std::size_t before = huge_requests();
    grow(extents(1));
    vm().set_huge_populate_ns(ns_a_huge_page);
    const PageRun run = take(extents(1), touch);
    return huge_requests() > before && extent_of(run).huge;
  }
  /// How many extents in a row are backed by small pages where huge ones are dear.
  std::uint32_t small_extents() {
    std::uint32_t count = 0;
    while (count < 1'000 && !takes_huge(kDearNs)) ++count;
    return count;
  }
};

TEST_F(DearHugePagesTest, WhereHugePagesAreDearerSmallOnesServe) {
  EXPECT_TRUE(takes_huge(kDearNs));
  EXPECT_FALSE(takes_huge(kDearNs));
  EXPECT_EQ(populated().back().bytes, kExtentBytes);
  check();
}

TEST_F(DearHugePagesTest, TheyAreTriedAgainAndEachTimeLater) {
  ASSERT_TRUE(takes_huge(kDearNs));
  EXPECT_EQ(small_extents(), 8U);
  EXPECT_EQ(small_extents(), 32U);
  check();
}

TEST_F(DearHugePagesTest, OnceTheyAreCheapTheyStay) {
  ASSERT_TRUE(takes_huge(kDearNs));
  ASSERT_EQ(small_extents(), 8U);
  for (int i = 0; i < 32; ++i) takes_huge(kSmallNs / 4);
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(takes_huge(kSmallNs / 4));
  // What went before is forgotten.
  ASSERT_TRUE(takes_huge(kDearNs));
  EXPECT_EQ(small_extents(), 8U);
}

TEST_F(DearHugePagesTest, HugePagesMayCostTwiceAsMuch) {
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(takes_huge(kSmallNs * 2));
}

TEST_F(DearHugePagesTest, WhereSmallPagesAreAsDearThereIsNothingToGain) {
  vm().set_populate_ns(kDearNs);
  ASSERT_TRUE(takes_huge(kDearNs));
  ASSERT_EQ(small_extents(), 8U);  // by which small ones were measured anew
  for (int i = 0; i < 10; ++i) EXPECT_TRUE(takes_huge(kDearNs));
}

TEST_F(DearHugePagesTest, TheUsersWishCountsMore) {
  use_huge_pages(HugePageUse::kAlways);
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(takes_huge(kDearNs));
}

TEST_F(DearHugePagesTest, OfALargeBlockTheFirstExtentIsMeasured) {
  ASSERT_TRUE(takes_huge(kDearNs, Touch::kLazily));
  EXPECT_FALSE(takes_huge(kDearNs, Touch::kLazily));
  check();
}

TEST_F(DearHugePagesTest, OfALongerBlockFewer) {
  grow(extents(17));
  vm().forget_records();
  const PageRun run = take(extents(17), Touch::kInOrder);
  EXPECT_EQ(populated().size(), 5U);  // extents 1, 2, 4, 8 and 16
  EXPECT_TRUE(window().extent(run.first.extent() + 16).huge);
  check_against_kernel();
}

TEST_F(ResidencyTest, AHugePageBringsItsWholeExtent) {
  set_elsewhere(kLarge);
  grow(extents(2));
  vm().forget_records();
  const PageRun run = take(pages(8));
  ASSERT_EQ(populated().size(), 1U);
  EXPECT_EQ(populated()[0].bytes, kExtentBytes);
  EXPECT_EQ(memory().resident_free(), pages(kExtentPages - 8));
  take(pages(100));
  EXPECT_EQ(populated().size(), 1U);
  EXPECT_EQ(resident({run.first, extents(1)}), kExtentPages);
  check();
}

TEST_F(ResidencyTest, AnExtentThatHasMemoryAlreadyIsNotMadeHuge) {
  set_elsewhere(kSmall);
  grow(extents(1));
  take(pages(1));
  set_elsewhere(kLarge);
  vm().forget_records();
  const PageRun run = take(pages(200));
  EXPECT_EQ(huge_requests(), 0U);
  EXPECT_FALSE(extent_of(run).huge);
  // The rest of it gets its memory at once, as a huge page would have brought it.
  EXPECT_EQ(resident({page(0), extents(1)}), kExtentPages);
  check();
}

TEST_F(ResidencyTest, WhereHugePagesAreRefusedSmallOnesServe) {
  vm().fail_all_of(VmCall::kAllowHuge);
  set_elsewhere(kLarge);
  for (int i = 0; i < 4; ++i) {
    const PageRun run = take(extents(1));
    EXPECT_FALSE(extent_of(run).huge);
    EXPECT_EQ(resident(run), kExtentPages);
  }
  check();
}

TEST_F(ResidencyTest, NoHugePagesWhereTheSystemOrTheUserWantsNone) {
  vm().set_huge_pages(HugePages::kNever);
  set_elsewhere(kLarge);
  take(extents(2));
  EXPECT_EQ(huge_requests(), 0U);
}

TEST_F(ResidencyTest, NoHugePagesWhereTheUserWantsNone) {
  use_huge_pages(HugePageUse::kNever);
  set_elsewhere(kLarge);
  take(extents(2));
  EXPECT_EQ(huge_requests(), 0U);
}

TEST_F(ResidencyTest, HugePagesFromTheFirstExtentOnWhereTheUserWantsThem) {
  use_huge_pages(HugePageUse::kAlways);
  take(extents(1));
  EXPECT_EQ(huge_requests(), 1U);
}

TEST_F(ResidencyTest, AHeapThatShrankGoesOnWithSmallPages) {
  set_elsewhere(kLarge);
  const PageRun run = take(extents(1));
  put(run);
  memory().release_all();
  set_elsewhere(pages(0));
  take_at({run.first, pages(1)});
  EXPECT_FALSE(extent_of(run).huge);
  EXPECT_LT(resident({run.first, extents(1)}), kExtentPages / 4);
  check_against_kernel();
}

TEST_F(ResidencyTest, WhereTheSystemMakesHugePagesUnaskedItIsToldNotTo) {
  vm().set_huge_pages(HugePages::kAlways);
  grow(pages(kExtentPages / 2));
  EXPECT_EQ(vm().count(VmCall::kAllowHuge), 0U);  // no extent is complete
  grow(pages(kExtentPages / 2 + 3 * kExtentPages));
  const std::vector<test::VmRecord> records = vm().records(VmCall::kAllowHuge);
  ASSERT_EQ(records.size(), 1U);
  EXPECT_FALSE(records[0].allow);
  EXPECT_EQ(records[0].at, window().address(page(0)));
  EXPECT_EQ(records[0].bytes, extents(4).bytes());
}

TEST_F(ResidencyTest, WhereTheSystemMakesNoneUnaskedItIsToldNothing) {
  for (const HugePages mode : {HugePages::kOnAdvice, HugePages::kNever}) {
    vm().set_huge_pages(mode);
    grow(extents(4));
    EXPECT_EQ(vm().count(VmCall::kAllowHuge), 0U);
  }
}

// ── Lazily touched runs ──────────────────────────────────────────────────────────────────────────

class LazyRunsTest : public ResidencyTest {
 protected:
  // As a touch of each page, but sooner done.
  void fill(PageRun run) { kernel::vm::populate(address(run), run.count.bytes()); }
  // Of `count` runs that the program fills from end to end, or leaves alone: how many were huge.
  int huge_of(int count, bool filled) {
    set_elsewhere(kLarge);
    int huge = 0;
    for (int i = 0; i < count; ++i) {
      const PageRun run = take(extents(1), Touch::kLazily);
      huge += extent_of(run).huge ? 1 : 0;
      if (filled) fill(run);
    }
    return huge;
  }
};

TEST_F(LazyRunsTest, AreHugeWhereTheyAreFilled) {
  EXPECT_GE(huge_of(64, true), 48);
}

TEST_F(LazyRunsTest, AreNotHugeWhereTheyAreNotFilled) {
  huge_of(64, false);
  EXPECT_EQ(huge_of(64, false), 0);
}

TEST_F(LazyRunsTest, AreLookedAtNowAndThenThoughAllWereFilled) {
  huge_of(20, true);
  EXPECT_LT(huge_of(64, true), 64);
}

TEST_F(LazyRunsTest, AreJudgedByTheLatestOfThem) {
  huge_of(40, true);
  huge_of(200, false);
  EXPECT_EQ(huge_of(1, false), 0);
  huge_of(8, true);
  EXPECT_GE(huge_of(32, true), 24);
}

class LongLazyRunsTest : public LazyRunsTest {
 protected:
  static constexpr std::uint32_t kInUse = 128;              // MiB
  static constexpr std::uint32_t kEighth = kInUse / 8 / 2;  // in extents

  LongLazyRunsTest() {
    set_elsewhere(mebibytes(kInUse - 2));
    fill(take(extents(1), Touch::kLazily));
  }
  std::uint32_t huge_extents(PageRun run) {
    std::uint32_t count = 0;
    for_each_extent(run,
                    [&](std::uint32_t i, BitRun) { count += window().extent(i).huge ? 1U : 0U; });
    return count;
  }
  PageRun take_long(Touch touch = Touch::kLazily) {
    grow(extents(100));
    return take(extents(100), touch);
  }
};

TEST_F(LongLazyRunsTest, AreHugeForAShareOfWhatIsInUse) {
  const PageRun run = take_long();
  EXPECT_EQ(huge_extents(run), kEighth);
  EXPECT_TRUE(window().extent(run.first.extent()).huge);  // the first ones
  check_against_kernel();
}

TEST_F(LongLazyRunsTest, AreHugeForMoreOnceTheyWereFilled) {
  fill(take_long());
  EXPECT_EQ(huge_extents(take_long()), 2 * kEighth);
}

TEST_F(LongLazyRunsTest, AreNotHugeOnceTheyWereNotFilled) {
  take_long();
  EXPECT_EQ(huge_extents(take_long()), 0U);
}

TEST_F(LongLazyRunsTest, BehindThemNothingIsPopulated) {
  const PageRun run = take(extents(1));
  const PageRun part{run.first + pages(100), pages(300)};
  put(part);
  memory().release_all();
  take_at({part.first, pages(200)}, Touch::kLazily);
  EXPECT_EQ(resident({part.first, pages(200)}), 200U);
  EXPECT_EQ(resident({part.first + pages(200), pages(100)}), 0U);
  check();
}

TEST_F(LongLazyRunsTest, WhatGrowsIsTouchedInOrder) {
  EXPECT_EQ(huge_extents(take_long(Touch::kInOrder)), 100U);
}

TEST_F(LazyRunsTest, AreLookedAtBeforeTheyArePut) {
  set_elsewhere(kLarge);
  for (int i = 0; i < 6; ++i) {
    const PageRun run = take(extents(1), Touch::kLazily);
    fill(run);
    put(run);
    memory().release_all();  // a look after that would find it empty
  }
  EXPECT_TRUE(extent_of(take(extents(1), Touch::kLazily)).huge);
}

}  // namespace
}  // namespace mini::alloc
