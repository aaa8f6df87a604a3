// Runs of pages for everybody: where they lie, how the heap grows for them, and what happens where
// it cannot.
#include "alloc/page_heap.h"

#include <algorithm>
#include <cstring>
#include <thread>
#include <vector>

#include "alloc/check.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::VmCall;

class PageHeapTest : public BackingTest {
 protected:
  PageHeap& heap() { return backing().pages; }
  PageRun take(std::uint32_t count, std::uint32_t alignment = 1) {
    PageHeap::Grant grant;
    EXPECT_TRUE(heap().take({.count = pages(count), .alignment = pages(alignment)}, &grant));
    return {grant.first, pages(count)};
  }
  bool take_fails(PageHeap::Request request) {
    const PageHeap::Figures before = heap().figures();
    PageHeap::Grant grant;
    const bool fails = !heap().take(request, &grant);
    if (fails) {
      EXPECT_EQ(heap().figures().in_use, before.in_use);
    }
    check();
    return fails;
  }
  void check() {
    const Locked locked(heap().lock());
    Checker::pages(heap());
  }
  std::byte* address(PageRun run) { return window().address(run.first); }
};

TEST_F(PageHeapTest, TheFirstStepIsTooSmallForAHugePage) {
  EXPECT_LT(window().end(), pages(kExtentPages));
}

TEST_F(PageHeapTest, PagesInUseAndFreeAreAllThereAre) {
  const PageRun a = take(3);
  const PageRun b = take(1000);
  PageHeap::Figures figures = heap().figures();
  EXPECT_EQ(figures.in_use, pages(1003));
  EXPECT_EQ(heap().in_use(), pages(1003));
  EXPECT_EQ(figures.in_use + figures.free, window().end());
  heap().put(a);
  heap().put(b);
  figures = heap().figures();
  EXPECT_EQ(figures.in_use, pages(0));
  EXPECT_EQ(figures.free, window().end());
  check();
}

TEST_F(PageHeapTest, NothingIsGivenForNothing) {
  EXPECT_TRUE(take_fails({.count = pages(0)}));
}

TEST_F(PageHeapTest, MoreThanTheWindowHasIsRefusedWithoutAskingTheKernel) {
  vm().forget_records();
  EXPECT_TRUE(take_fails({.count = pages(kWindowPages + 1)}));
  EXPECT_TRUE(take_fails({.count = pages(~std::uint32_t{0})}));
  EXPECT_TRUE(take_fails({.count = pages(kWindowPages), .alignment = pages(1U << 31)}));
  EXPECT_TRUE(vm().records().empty());
}

TEST_F(PageHeapTest, RunsAreAlignedToEveryPowerOfTwoAndNothingIsLostAroundThem) {
  std::vector<PageRun> runs;
  for (std::uint32_t alignment = 1; alignment <= 4096; alignment *= 2) {
    for (const std::uint32_t count : {1U, 3U, 600U}) {
      const PageRun run = take(count, alignment);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(address(run)) % pages(alignment).bytes(), 0U);
      std::memset(address(run), 1, kPageBytes);
      runs.push_back(run);
      check();
    }
  }
  for (const PageRun& run : runs) heap().put(run);
  EXPECT_EQ(heap().figures().free, window().end());
}

TEST_F(PageHeapTest, AHoleThatFitsIsUsedBeforeTheHeapGrows) {
  const PageRun hole = take(20);
  take(1);
  heap().put(hole);
  const PageCount end = window().end();
  EXPECT_EQ(take(20).first, hole.first);
  EXPECT_EQ(window().end(), end);
}

TEST_F(PageHeapTest, AddressSpaceGrowsByStepsThatFollowTheHeap) {
  for (int i = 0; i < 20; ++i) take(kExtentPages);
  vm().forget_records();
  for (int i = 0; i < 400; ++i) take(kExtentPages);
  // 800 MiB more: with steps of an eighth that takes some dozen calls, not hundreds.
  std::size_t steps = 0;
  for (const test::VmRecord& record : vm().records()) {
    const bool is_heap = record.at >= window().address(page(0));
    if (is_heap && (record.call == VmCall::kMapAt || record.call == VmCall::kMapOver)) ++steps;
  }
  EXPECT_LT(steps, 60U);
}

TEST_F(PageHeapTest, TheLeastStepIsTakenWhereTheGenerousOneIsRefused) {
  take(100);
  const std::uint32_t free = heap().figures().free.count;
  // 10 pages more than there are, and not a page beyond.
  vm().limit_mapped(vm().mapped_bytes() + pages(10).bytes());
  take(free + 10);
  EXPECT_EQ(heap().figures().free, pages(0));
  EXPECT_TRUE(take_fails({.count = pages(1)}));
}

TEST_F(PageHeapTest, WhatIsRefusedIsThereOnceTheKernelGivesAgain) {
  for (const VmCall call : {VmCall::kMapAt, VmCall::kMapOver}) {
    vm().fail_all_of(call);
    const bool failed = take_fails({.count = pages(5000)});
    vm().fail_never();
    if (failed) std::memset(address(take(5000)), 1, pages(5000).bytes());
  }
  check();
}

// A page written to, then pages that never were, by turns: of what is taken as zeros only the first
// are written again.
TEST_F(PageHeapTest, OnlyPagesThatWereUsedAreClearedAgain) {
  constexpr PageCount kAll = pages(3 * kExtentPages);
  vm().set_huge_pages(kernel::vm::HugePages::kNever);
  const PageRun run = take(kAll.count);
  for (std::uint32_t i = 0; i < kAll.count; i += 100)
    *address({run.first + pages(i), pages(1)}) = std::byte{1};
  heap().put(run);
  PageHeap::Grant grant;
  ASSERT_TRUE(heap().take({.count = kAll, .zero = true}, &grant));
  ASSERT_EQ(grant.first, run.first);
  if (!grant.zeroed) heap().zero(run);
  for (std::size_t i = 0; i < kAll.bytes(); i += kPageBytes) {
    ASSERT_EQ(address(run)[i], std::byte{0}) << i / kPageBytes;
  }
  check();
}

TEST_F(PageHeapTest, ThePagesAfterARunAreTakenWhereTheyAreFree) {
  const PageRun run = take(10);
  ASSERT_TRUE(heap().take_after(run, pages(5)));
  EXPECT_EQ(heap().in_use(), pages(15));
  EXPECT_EQ(take(1).first, run.first + pages(15));
  EXPECT_FALSE(heap().take_after(run, pages(1)));
  EXPECT_FALSE(heap().take_after({run.first, pages(15)}, pages(1)));
  check();
}

TEST_F(PageHeapTest, ARunAtTheEndGrowsTogetherWithTheHeap) {
  const PageRun run = take(heap().figures().free.count);
  ASSERT_TRUE(heap().take_after(run, pages(3000)));
  std::memset(address(run), 1, (run.count + pages(3000)).bytes());
  check();
}

TEST_F(PageHeapTest, ARunBeforeAGapDoesNotGrowOverIt) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  const PageRun run = take(heap().figures().free.count);
  vm().occupy(window().address(run.end() + pages(10)), kPageBytes);
  EXPECT_FALSE(heap().take_after(run, pages(11)));
  EXPECT_EQ(heap().in_use(), run.count);
  check();
}

TEST_F(PageHeapTest, MoreAfterARunThanTheWindowHasIsRefused) {
  const PageRun run = take(10);
  EXPECT_FALSE(heap().take_after(run, pages(~std::uint32_t{0})));
  EXPECT_FALSE(heap().take_after(run, pages(kWindowPages)));
  check();
}

TEST_F(PageHeapTest, ATakeBehindAForeignMappingGoesOnAfterIt) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  take(heap().figures().free.count);
  vm().occupy(window().address(PageIndex{window().end().count}), kPageBytes);
  const PageRun run = take(300);
  std::memset(address(run), 1, run.count.bytes());
  check();
}

TEST_F(PageHeapTest, AllThatIsFreeGivesItsMemoryBack) {
  const PageRun run = take(1000);
  const PageRun kept = take(10);
  std::memset(address(run), 1, run.count.bytes());
  std::memset(address(kept), 1, kept.count.bytes());
  heap().put(run);
  heap().release_all();
  EXPECT_EQ(heap().figures().resident_free, pages(0));
  EXPECT_EQ(test::FakeVm::resident_pages(address(run), run.count.bytes()), 0U);
  EXPECT_EQ(test::FakeVm::resident_pages(address(kept), kept.count.bytes()), 10U);
  EXPECT_EQ(heap().release_all(), pages(0));
  check();
}

TEST_F(PageHeapTest, IsPreparedOnceWhoeverAsks) {
  const PageCount end = window().end();
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) threads.emplace_back([this] { EXPECT_TRUE(heap().prepare()); });
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(window().end(), end);
}

TEST_F(PageHeapTest, ThreadsGetDifferentPages) {
  std::vector<std::thread> threads;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    threads.emplace_back([this, i] {
      test::Random random(i);
      std::vector<PageRun> runs;
      for (int round = 0; round < 500; ++round) {
        if (runs.size() < 20 && !random.one_in(3)) {
          const PageRun run = take(random.between(1, 40));
          *address(run) = static_cast<std::byte>(i);
          runs.push_back(run);
        } else if (!runs.empty()) {
          EXPECT_EQ(*address(runs.back()), static_cast<std::byte>(i));
          heap().put(runs.back());
          runs.pop_back();
        }
      }
      for (const PageRun& run : runs) heap().put(run);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(heap().figures().in_use, pages(0));
  check();
}

}  // namespace
}  // namespace mini::alloc
