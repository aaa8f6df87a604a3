// Pages inside slabs that no block in use touches: when a heap that emptied at random gives them
// back, and what happens when their blocks are wanted again.
#include <algorithm>
#include <cstring>
#include <vector>

#include "alloc/bin.h"
#include "alloc/check.h"
#include "alloc/options.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::VmCall;
using Blocks = std::vector<void*>;

constexpr std::uint64_t kSecond = 1'000'000'000;
constexpr std::uint32_t kBlockBytes = 640;
constexpr std::uint32_t kOften = 32;  // blocks that come and go together
constexpr std::uint32_t kMany = 280 * 1024;

class SweepTest : public BackingTest {
 protected:
  ~SweepTest() override {
    g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  }
  Bin::Place place() {
    return {.backing = backing(), .heap = 0, .size_class = class_of(kBlockBytes)};
  }
  Blocks take(std::uint32_t count) {
    Blocks blocks(count);
    for (std::uint32_t taken = 0; taken < count;) {
      const std::uint32_t more =
          bin_.take(blocks.data() + taken, std::min(kOften, count - taken), place());
      EXPECT_NE(more, 0U);
      if (more == 0) break;
      taken += more;
    }
    check();
    return blocks;
  }
  void put(const Blocks& blocks) {
    for (std::size_t i = 0; i < blocks.size(); i += kOften) {
      const std::size_t count = std::min<std::size_t>(kOften, blocks.size() - i);
      const std::uint64_t before = vm().count(VmCall::kDiscard);
      bin_.put(blocks.data() + i, static_cast<std::uint32_t>(count), place());
      most_discards_ = std::max(most_discards_, vm().count(VmCall::kDiscard) - before);
    }
    check();
  }
  // Frees all but one in so many, chosen at random, in the order of their addresses.
  void put_all_but_one_in(std::uint32_t number, Blocks& blocks) {
    Blocks freed;
    Blocks kept;
    for (void* block : blocks) (random_.below(number) == 0 ? kept : freed).push_back(block);
    put(freed);
    blocks = kept;
  }
  void put_nine_in_ten(Blocks& blocks) { put_all_but_one_in(10, blocks); }
  static void write(const Blocks& blocks) {
    for (void* block : blocks) std::memcpy(block, &block, sizeof block);
  }
  static bool are_as_written(const Blocks& blocks) {
    return std::ranges::all_of(
        blocks, [](void* block) { return std::memcmp(block, &block, sizeof block) == 0; });
  }
  std::size_t resident_pages() {
    return test::FakeVm::resident_pages(window().address(page(0)), window().end().bytes());
  }
  void check() {
    const Locked locked(bin_.lock());
    Checker::bin(bin_, backing());
    Checker::pages(backing().pages);
  }

  Bin bin_;
  test::Random random_{1};
  std::uint64_t most_discards_ = 0;  // of one put()
};

TEST_F(SweepTest, AHeapFreedAtRandomGivesBackThePagesBetween) {
  Blocks blocks = take(kMany);
  write(blocks);
  const std::size_t before = resident_pages();
  put_nine_in_ten(blocks);
  EXPECT_LT(resident_pages(), before * 7 / 10);
  EXPECT_TRUE(are_as_written(blocks));
}

TEST_F(SweepTest, TheWorkOfOneFreeIsBounded) {
  Blocks blocks = take(kMany);
  put_nine_in_ten(blocks);
  EXPECT_GT(most_discards_, 0U);
  EXPECT_LE(most_discards_, 1024U);
}

TEST_F(SweepTest, WhatWasGivenBackHasMemoryWhenItIsUsedAgain) {
  Blocks blocks = take(kMany);
  write(blocks);
  put_nine_in_ten(blocks);
  vm().forget_records();
  Blocks again = take(kMany - static_cast<std::uint32_t>(blocks.size()));
  EXPECT_FALSE(vm().records(VmCall::kPopulate).empty());
  write(again);
  EXPECT_TRUE(are_as_written(blocks));
  EXPECT_TRUE(are_as_written(again));
  put(again);
  put(blocks);
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

TEST_F(SweepTest, SlabsThatKeptTheirPagesAreUsedFirst) {
  Blocks blocks = take(kMany);
  put_nine_in_ten(blocks);
  const Blocks more = take(1024);
  put({more.begin(), more.begin() + 512});
  vm().forget_records();
  take(256);
  EXPECT_TRUE(vm().records(VmCall::kPopulate).empty());
}

TEST_F(SweepTest, AFreeHeapOfSomeMegabytesIsLeftAlone) {
  Blocks blocks = take(kMany / 8);
  put_nine_in_ten(blocks);
  EXPECT_EQ(vm().count(VmCall::kDiscard), 0U);
}

TEST_F(SweepTest, OneOfWhichHardlyAnythingIsLeftIsNot) {
  // All that is given back comes from slabs in use.
  g_options.retained_bytes.store(std::size_t{1} << 40, std::memory_order_relaxed);
  Blocks blocks = take(kMany / 2);
  write(blocks);
  put_all_but_one_in(40, blocks);
  EXPECT_GT(vm().count(VmCall::kDiscard), 0U);
  EXPECT_TRUE(are_as_written(blocks));
}

TEST_F(SweepTest, WhereEachRunIsACallOfItsOwnOnlyTrimGivesBack) {
  vm().discard_many_at_once(false);
  Blocks blocks = take(kMany);
  put_nine_in_ten(blocks);
  const PageCount released = bin_.release_free_pages(place());
  EXPECT_GT(released.count, kMany / 32);
  check();
  EXPECT_EQ(bin_.release_free_pages(place()), pages(0));
}

TEST_F(SweepTest, AHeapThatGrowsAgainAtOnceIsLeftAloneForAWhile) {
  // All that is given back comes from slabs in use.
  g_options.retained_bytes.store(std::size_t{1} << 40, std::memory_order_relaxed);
  Blocks blocks = take(kMany);
  const auto ebb_and_flow = [&] {
    vm().forget_records();
    put_nine_in_ten(blocks);
    const bool any = !vm().records(VmCall::kDiscard).empty();
    const Blocks more = take(kMany - static_cast<std::uint32_t>(blocks.size()));
    blocks.insert(blocks.end(), more.begin(), more.end());
    std::ranges::sort(blocks);
    return any;
  };
  EXPECT_TRUE(ebb_and_flow());
  EXPECT_FALSE(ebb_and_flow());
  vm().advance(11 * kSecond);
  EXPECT_TRUE(ebb_and_flow());
  vm().advance(11 * kSecond);
  EXPECT_FALSE(ebb_and_flow()) << "each time longer";
  vm().advance(11 * kSecond);
  EXPECT_TRUE(ebb_and_flow());
}

TEST_F(SweepTest, WhatTheKernelDoesNotTakeBackIsStillThere) {
  Blocks blocks = take(kMany);
  write(blocks);
  vm().fail_where([](VmCall call, std::uint64_t of_kind, std::uint64_t) {
    return call == VmCall::kDiscard && of_kind % 3 != 0;
  });
  put_nine_in_ten(blocks);
  EXPECT_TRUE(are_as_written(blocks));
  vm().fail_never();
  const Blocks again = take(kMany);
  write(again);
  EXPECT_TRUE(are_as_written(blocks));
}

}  // namespace
}  // namespace mini::alloc
