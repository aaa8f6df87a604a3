// Where the window goes and how it grows, on kernels that have other plans.
#include "alloc/window.h"

#include <cstring>
#include <stdexcept>

#include "alloc_test.h"

namespace mini::alloc {
namespace {

using test::VmCall;

class WindowTest : public KernelTest {
 protected:
  Window& window() { return *window_; }
  // The window of a new process that has it at the same address.
  void begin_again() {
    window_->~Window();
    vm().reset();
    new (window_.get()) Window;
  }
  PageRun grow(std::uint32_t count) {
    PageRun grown;
    if (!window().grow(pages(count), &grown)) throw std::runtime_error("the window does not grow");
    return grown;
  }
  const std::byte* begin() { return window().address(page(0)); }

 private:
  std::unique_ptr<Window> window_ = std::make_unique<Window>();
};

TEST_F(WindowTest, BeginsWithTheFirstPagesUsable) {
  EXPECT_FALSE(window().placed());
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_TRUE(window().placed());
  EXPECT_EQ(window().end(), pages(256));
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(begin()) % (std::size_t{1} << 30), 0U);
  std::memset(window().address(page(0)), 1, pages(256).bytes());
}

TEST_F(WindowTest, KnowsItsOwnAddressesFromOthers) {
  EXPECT_FALSE(window().contains(window().offset(this)));
  EXPECT_FALSE(window().contains(window().offset(nullptr)));
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_TRUE(window().contains(window().offset(begin())));
  EXPECT_TRUE(window().contains(window().offset(begin() + pages(256).bytes() - 1)));
  EXPECT_FALSE(window().contains(window().offset(begin() + pages(256).bytes())));
  EXPECT_FALSE(window().contains(window().offset(begin() - 1)));
  EXPECT_FALSE(window().contains(window().offset(this)));
  EXPECT_FALSE(window().contains(window().offset(nullptr)));
}

TEST_F(WindowTest, GoesElsewhereWhereSomebodyIsInItsPlace) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  ASSERT_TRUE(window().place(pages(256)));
  const std::byte* const usual = begin();
  begin_again();
  vm().occupy(usual + pages(100).bytes(), kPageBytes);
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_NE(begin(), usual);
  EXPECT_EQ(vm().count(VmCall::kReserve), 0U);
}

TEST_F(WindowTest, ReservesItsRangeWhereNoPlaceIsGiven) {
  vm().refuse_places(true);
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_EQ(vm().count(VmCall::kReserve), 1U);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(begin()) % (std::size_t{1} << 30), 0U);
  const PageRun grown = grow(1000);
  EXPECT_EQ(grown.first, page(256));
  std::memset(window().address(page(0)), 1, pages(1256).bytes());
}

TEST_F(WindowTest, IsNowhereWhereTheKernelGivesNothingAndIsPlacedOnceItDoes) {
  vm().fail_where([](VmCall, std::uint64_t, std::uint64_t) { return true; });
  EXPECT_FALSE(window().place(pages(256)));
  EXPECT_FALSE(window().placed());
  vm().fail_never();
  EXPECT_TRUE(window().place(pages(256)));
}

TEST_F(WindowTest, WhatIsOneMappingIsGivenBackWhereTheHeapIsRefused) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  vm().limit_mappings(1);
  vm().fail_all_of(VmCall::kLengthen);
  EXPECT_FALSE(window().place(pages(256)));
  EXPECT_EQ(vm().mapped_bytes(), 0U);
  vm().fail_never();
  EXPECT_TRUE(window().place(pages(256)));
}

// Whichever of the calls that a place needs is the first to fail, nothing stays in the way of the
// next try.
TEST_F(WindowTest, ATryThatFailsHalfWayLeavesNothingMapped) {
  for (std::uint64_t granted = 0; granted < 6; ++granted) {
    begin_again();
    const std::size_t before = vm().mapped_bytes();
    std::uint64_t left = granted;
    vm().fail_where([&left](VmCall call, std::uint64_t, std::uint64_t) {
      if (call == VmCall::kReserve || call == VmCall::kUnmap) return call == VmCall::kReserve;
      if (left > 0) --left;
      return left == 0;
    });
    if (window().place(pages(256))) break;
    EXPECT_EQ(vm().mapped_bytes(), before) << granted;
    vm().fail_never();
    EXPECT_TRUE(window().place(pages(256))) << granted;
  }
}

TEST_F(WindowTest, GrowsRightAfterWhatThereIs) {
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_EQ(grow(256).first, page(256));
  EXPECT_EQ(grow(10'000).first, page(512));
  EXPECT_EQ(window().end(), pages(10'512));
  std::memset(window().address(page(10'511)), 1, kPageBytes);
  EXPECT_EQ(window().extent_count(), (10'512 + kExtentPages - 1) / kExtentPages);
}

TEST_F(WindowTest, FreshExtentsHaveAllPagesUsedAndNoneResident) {
  ASSERT_TRUE(window().place(pages(256)));
  grow(2 * kExtentPages);
  for (std::uint32_t i = 0; i < window().extent_count(); ++i) {
    EXPECT_EQ(window().extent(i).used.count(), kExtentPages);
    EXPECT_EQ(window().extent(i).resident.count(), 0U);
    EXPECT_EQ(window().extent(i).longest_free, 0);
  }
}

TEST_F(WindowTest, LeavesAGapWhereSomebodyHasMappedSomething) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  ASSERT_TRUE(window().place(pages(256)));
  vm().occupy(window().address(page(300)), kPageBytes);
  const PageRun grown = grow(100);
  EXPECT_GT(grown.first, page(300));
  EXPECT_EQ(grown.count, pages(100));
  EXPECT_EQ(window().end(), PageCount{grown.end().value});
  std::memset(window().address(grown.first), 1, grown.count.bytes());
  // What is in the gap is nobody's block.
  EXPECT_EQ(window().entry(std::size_t{300} * kPageBytes).code, kCodeNone);
  EXPECT_EQ(grow(100).first, grown.end());
}

TEST_F(WindowTest, GivesUpAfterManyGaps) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  ASSERT_TRUE(window().place(pages(256)));
  vm().occupy(window().address(page(256)), std::size_t{100} << 30);
  vm().forget_records();
  PageRun grown;
  EXPECT_FALSE(window().grow(pages(1), &grown));
  EXPECT_LT(vm().records().size(), 500U);
  EXPECT_EQ(window().end(), pages(256));
}

TEST_F(WindowTest, StaysAsItIsWhereTheKernelRefuses) {
  ASSERT_TRUE(window().place(pages(256)));
  vm().limit_mapped(vm().mapped_bytes() + pages(100).bytes());
  PageRun grown;
  EXPECT_FALSE(window().grow(pages(101), &grown));
  EXPECT_EQ(window().end(), pages(256));
  EXPECT_TRUE(window().grow(pages(100), &grown));
  EXPECT_EQ(grown.first, page(256));
}

TEST_F(WindowTest, BeginsWithAsManyMappingsAsThereAre) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  vm().limit_mappings(0);
  EXPECT_FALSE(window().place(pages(256)));
  for (std::size_t count = 1; count < 7; ++count) {
    SCOPED_TRACE(count);
    begin_again();
    vm().limit_mappings(count);
    ASSERT_TRUE(window().place(pages(256)));
    EXPECT_LE(vm().mapped_ranges().size(), count);
    EXPECT_EQ(vm().records(VmCall::kReserve).size(), 0U);
    EXPECT_EQ(grow(100'000).first, page(256));
    EXPECT_TRUE(window().reach_span(100'000));
    window().set_entry(page(100'255), {9, 0});
    std::memset(window().address(page(0)), 1, pages(100'256).bytes());
    EXPECT_EQ(window().entry(page(100'255)).code, 9);
    EXPECT_LE(window().metadata_bytes() + pages(100'256).bytes(), vm().mapped_bytes());
  }
}

TEST_F(WindowTest, GrowsWhereNoMappingMoreIsToBeHad) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  ASSERT_TRUE(window().place(pages(256)));
  vm().limit_mappings(vm().mapped_ranges().size());
  EXPECT_EQ(grow(256).first, page(256));
  EXPECT_EQ(grow(100'000).first, page(512));
  EXPECT_TRUE(window().reach_span(100'000));
  EXPECT_TRUE(window().reach_records(std::size_t{1} << 20));
  EXPECT_EQ(window().metadata_bytes() + pages(100'512).bytes(), vm().mapped_bytes());
  std::memset(window().address(page(0)), 1, pages(100'512).bytes());
  window().set_entry(page(100'511), {9, 0});
  EXPECT_EQ(vm().count(VmCall::kUnmap), 0U);
}

TEST_F(WindowTest, WhatIsLongerThanItWasHasTheAdviceThatItHad) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  for (const bool huge : {false, true}) {
    begin_again();
    ASSERT_TRUE(window().place(pages(2 * kExtentPages)));
    window().extent(1).huge = huge;
    EXPECT_FALSE(window().extent(grow(kExtentPages).first.extent()).huge);
    window().extent(2).huge = huge;
    vm().limit_mappings(1);
    grow(2 * kExtentPages);
    EXPECT_EQ(window().extent(3).huge, huge);
    EXPECT_EQ(window().extent(4).huge, huge);
  }
}

TEST_F(WindowTest, NothingOfOthersIsMadeLonger) {
  if (!test::kPlacesAreOurs) GTEST_SKIP();
  ASSERT_TRUE(window().place(pages(256)));
  vm().occupy(window().address(page(300)), kPageBytes);
  vm().limit_mappings(1);
  PageRun grown;
  EXPECT_FALSE(window().grow(pages(100), &grown));
  EXPECT_EQ(window().end(), pages(256));
  EXPECT_TRUE(window().grow(pages(44), &grown));
}

TEST_F(WindowTest, NeverGrowsBeyondItsPart) {
  ASSERT_TRUE(window().place(pages(256)));
  PageRun grown;
  EXPECT_FALSE(window().grow(pages(kWindowPages), &grown));
  EXPECT_FALSE(window().grow({~std::uint32_t{0}}, &grown));
  EXPECT_EQ(window().end(), pages(256));
}

// The arrays beside the heap grow ahead of it, each in a part of its own.
class FullWindowTest : public WindowTest, public testing::WithParamInterface<bool> {};

TEST_P(FullWindowTest, AllOfItCanBeUsed) {
  vm().refuse_places(GetParam());
  ASSERT_TRUE(window().place(pages(256)));
  window().set_entry(page(0), {7, 0});
  window().span_id(page(0)) = 5;
  constexpr std::uint32_t kStep = kWindowPages / 8;
  while (window().end().count + kStep <= kWindowPages) grow(kStep);
  const std::uint32_t rest = kWindowPages - window().end().count;
  if (rest != 0) grow(rest);
  EXPECT_EQ(window().end(), pages(kWindowPages));
  EXPECT_EQ(window().entry(0).code, 7) << "the page map was replaced";
  EXPECT_EQ(window().span_id(page(0)), 5U) << "the span ids were replaced";
  window().set_entry(page(kWindowPages - 1), {9, 0});
  window().span_id(page(kWindowPages - 1)) = 1;
  EXPECT_EQ(window().entry(kWindowBytes - 1).code, 9);
}

INSTANTIATE_TEST_SUITE_P(Reserved, FullWindowTest, testing::Bool());

TEST_F(WindowTest, AlignGivesTheNextMultipleOfAnAddress) {
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_EQ(window().align(page(0), pages(1)), page(0));
  EXPECT_EQ(window().align(page(3), pages(1)), page(3));
  EXPECT_EQ(window().align(page(3), pages(4)), page(4));
  EXPECT_EQ(window().align(page(4), pages(4)), page(4));
  EXPECT_EQ(window().align(page(1), pages(512)), page(512));
}

TEST_F(WindowTest, CountsWhatItsArraysHaveMapped) {
  ASSERT_TRUE(window().place(pages(256)));
  EXPECT_EQ(window().metadata_bytes() + pages(256).bytes(), vm().mapped_bytes());
  grow(100'000);
  ASSERT_TRUE(window().reach_records(1'000'000));
  ASSERT_TRUE(window().reach_span(100'000));
  EXPECT_EQ(window().metadata_bytes() + pages(100'256).bytes(), vm().mapped_bytes());
}

TEST_F(WindowTest, ItsArraysReachWhatTheKernelStillGives) {
  ASSERT_TRUE(window().place(pages(256)));
  ASSERT_TRUE(window().reach_records(std::size_t{1} << 20));
  const std::size_t had = window().metadata_bytes();
  // Enough for what is asked for, not for what would be mapped ahead.
  vm().limit_mapped(vm().mapped_bytes() + (std::size_t{1} << 20));
  EXPECT_TRUE(window().reach_records(std::size_t{2} << 20));
  EXPECT_GT(window().metadata_bytes(), had);
  EXPECT_FALSE(window().reach_records(std::size_t{4} << 20));
}

}  // namespace
}  // namespace mini::alloc
