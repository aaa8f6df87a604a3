// Large blocks on shelves: what was freed on one is the next one's, cut and joined as lengths come,
// and whoever asks for all memory gets that too.
#include "alloc/span_shelf.h"

#include <array>
#include <cstring>
#include <map>
#include <thread>
#include <vector>

#include "alloc/check.h"
#include "alloc/heap.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class SpanShelfTest : public BackingTest {
 protected:
  SpanShelfTest() { begin(2); }

  // The first block that a shelf is asked for tells it how much it may keep.
  void begin(std::uint32_t shelves) {
    for (std::uint32_t i = 0; i < shelves; ++i) free(allocate(kPageBytes, i), i);
    backing().pages.release_all();
  }

  std::byte* allocate(std::size_t bytes, std::uint32_t shelf = 0, bool zero = false) {
    return static_cast<std::byte*>(heap().allocate_large(
        backing(), {.bytes = bytes, .zero = zero, .shelf = &this->shelf(shelf)}));
  }
  Span& span_of(const void* block) {
    const std::size_t offset = window().offset(block);
    return backing().span_at(offset, window().entry(offset));
  }
  void free(const void* block, std::uint32_t shelf = 0) {
    EXPECT_TRUE(heap().free_large(backing(), span_of(block), {.shelf = &this->shelf(shelf)}));
  }
  PageCount in_use() { return backing().pages.figures().in_use; }
  SpanShelf& shelf(std::uint32_t i) { return backing().pages.shelves()[i]; }
  Heap& heap() { return *heap_; }

  void check() {
    for (const SpanShelf& each : backing().pages.shelves()) Checker::span_shelf(each);
    Checker::pages(backing().pages);
  }

 private:
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
};

TEST_F(SpanShelfTest, AFreedBlockIsTheNextOneOfItsShelf) {
  const std::byte* const block = allocate(200'000, 0);
  const std::byte* const other = allocate(200'000, 1);
  free(block, 0);
  free(other, 1);
  EXPECT_EQ(shelf(0).pages(), pages(49));
  EXPECT_EQ(allocate(200'000, 0), block);
  EXPECT_EQ(allocate(200'000, 1), other);
  EXPECT_EQ(shelf(0).pages(), pages(0));
  EXPECT_EQ(heap().large_figures(backing()).blocks, 2U);
  EXPECT_EQ(heap().large_figures(backing()).pages, pages(98));
  check();
}

// Between the shelf's lock and the page heap's, when another thread forked.
TEST_F(SpanShelfTest, TheChildOfAForkFindsWhatAThreadHadOnItsWay) {
  free(allocate(200'000, 0), 0);
  free(allocate(100'000, 1), 1);
  SpanShelf::Spans on_their_way;
  shelf(0).take_all(&on_their_way);
  EXPECT_EQ(in_use(), pages(49));
  backing().pages.after_fork_in_child();
  EXPECT_EQ(in_use(), pages(0));
  EXPECT_EQ(shelf(1).pages(), pages(25));
  check();
  backing().pages.empty_shelves();
  EXPECT_FALSE(shelf(1).forget_leaving());
  check();
}

TEST_F(SpanShelfTest, AShorterBlockIsCutOffAndJoinedAgain) {
  std::byte* const block = allocate(200'000);
  allocate(kPageBytes, 1);
  free(block);
  std::byte* const low = allocate(100'000);
  std::byte* const high = allocate(24 * kPageBytes);
  EXPECT_EQ(low, block);
  EXPECT_EQ(high, block + 25 * kPageBytes);
  EXPECT_EQ(span_of(low).pages, pages(25));
  EXPECT_EQ(shelf(0).pages(), pages(0));
  free(high);
  free(low);
  check();
  EXPECT_EQ(allocate(200'000), block);
  EXPECT_EQ(heap().large_figures(backing()).blocks, 2U);
  EXPECT_EQ(heap().large_figures(backing()).pages, pages(50));
}

TEST_F(SpanShelfTest, TheShortestThatFitsIsTaken) {
  const std::byte* const large = allocate(400'000);
  allocate(kPageBytes, 1);
  const std::byte* const small = allocate(100'000);
  allocate(kPageBytes, 1);
  free(large);
  free(small);
  EXPECT_EQ(allocate(90'000), small);
  EXPECT_EQ(allocate(400'000), large);
}

TEST_F(SpanShelfTest, WhileAnotherThreadIsThereThePageHeapServes) {
  std::byte* const block = allocate(100'000);
  free(block);
  ASSERT_TRUE(shelf(0).lock().try_lock());
  Span* const none = shelf(0).take(pages(25), window(), backing().spans);
  shelf(0).lock().unlock();
  EXPECT_EQ(none, nullptr);
  EXPECT_EQ(allocate(100'000), block);
}

TEST_F(SpanShelfTest, WhatIsKeptCountsAsFree) {
  free(allocate(200'000));
  EXPECT_EQ(in_use(), pages(0));
  EXPECT_EQ(backing().pages.figures().free, window().end());
  EXPECT_EQ(backing().pages.figures().resident_free, pages(49));
  EXPECT_EQ(heap().large_figures(backing()).blocks, 0U);
  EXPECT_EQ(heap().large_figures(backing()).pages, pages(0));
}

TEST_F(SpanShelfTest, AZeroedBlockIsCleared) {
  std::byte* const block = allocate(200'000);
  std::memset(block, 1, 200'000);
  free(block);
  ASSERT_EQ(allocate(200'000, 0, true), block);
  for (std::size_t i = 0; i < 200'000; ++i) ASSERT_EQ(block[i], std::byte{0});
}

TEST_F(SpanShelfTest, ABlockThatIsKeptIsFreedNoMore) {
  std::byte* const neighbour = allocate(100'000);
  std::byte* const block = allocate(100'000);
  Span& span = span_of(block);
  free(block);
  EXPECT_FALSE(heap().free_large(backing(), span, {.shelf = &shelf(1)}));
  EXPECT_TRUE(backing().pages.caches(block));
  free(neighbour);
  EXPECT_EQ(window().entry(window().offset(block)).code, kCodeNone);
  EXPECT_TRUE(backing().pages.caches(block));
  EXPECT_TRUE(backing().pages.caches(neighbour));
  EXPECT_FALSE(backing().pages.caches(block + 1));
  check();
}

TEST_F(SpanShelfTest, NoMoreIsKeptThanMayStayFree) {
  std::vector<const std::byte*> blocks;
  for (int i = 0; i < 64; ++i) blocks.push_back(allocate(100'000));
  for (const std::byte* block : blocks) {
    free(block);
    EXPECT_LE(shelf(0).pages().bytes(), kMiB);
    check();
  }
  EXPECT_GE(shelf(0).pages().bytes(), kMiB / 4);
  free(allocate(2 * kMiB));
  EXPECT_LE(shelf(0).pages().bytes(), kMiB);
}

TEST_F(SpanShelfTest, WhatIsTooMuchGoesFromTheTop) {
  std::vector<const std::byte*> blocks;
  for (int i = 0; i < 11; ++i) {
    blocks.push_back(allocate(100'000));
    allocate(kPageBytes, 1);
  }
  for (const std::byte* block : blocks) free(block);
  EXPECT_EQ(allocate(100'000), blocks[0]);
  EXPECT_FALSE(
      shelf(0).has({static_cast<std::uint32_t>(window().offset(blocks[10]) >> kPageShift)}));
}

TEST_F(SpanShelfTest, WhatManyShelvesKeptGoesWhenLittleIsInUse) {
  begin(PageHeap::kShelves);
  std::array<std::vector<const std::byte*>, PageHeap::kShelves> blocks;
  for (std::uint32_t i = 0; i < PageHeap::kShelves; ++i) {
    for (int k = 0; k < 30; ++k) blocks[i].push_back(allocate(100'000, i));
  }
  for (std::uint32_t i = 0; i < PageHeap::kShelves; ++i) {
    for (const std::byte* block : blocks[i]) free(block, i);
  }
  EXPECT_EQ(in_use(), pages(0));
  EXPECT_LE(backing().pages.kept().bytes(), 2 * kMiB);
  check();
}

TEST_F(SpanShelfTest, WhatIsKeptIsGivenBackWhenAsked) {
  free(allocate(200'000, 0), 0);
  free(allocate(200'000, 1), 1);
  EXPECT_EQ(backing().pages.release_all(), pages(98));
  EXPECT_EQ(backing().pages.kept(), pages(0));
  EXPECT_EQ(backing().pages.figures().resident_free, pages(0));
  EXPECT_EQ(in_use(), pages(0));
}

TEST_F(SpanShelfTest, WhatIsKeptIsForAShortTime) {
  free(allocate(200'000));
  backing().pages.settle();
  EXPECT_EQ(backing().pages.kept(), pages(0));
  EXPECT_EQ(in_use(), pages(0));
}

TEST_F(SpanShelfTest, WhereMemoryEndsWhatIsKeptIsTaken) {
  free(allocate(400'000, 0), 0);
  ASSERT_EQ(shelf(0).pages(), pages(98));
  vm().fail_where([](test::VmCall, std::uint64_t, std::uint64_t) { return true; });
  PageHeap::Grant grant;
  std::uint32_t taken = 0;
  while (taken < 10'000 && backing().pages.take({.count = pages(49)}, &grant)) ++taken;
  EXPECT_EQ(shelf(0).pages(), pages(0));
  EXPECT_GE(taken, 2U);
}

// As by a thread that was interrupted: the next ones of its processor are not to wait for it.
TEST_F(SpanShelfTest, NobodyIsGivenAShelfThatIsHeld) {
  std::thread([&] {
    SpanShelf* const first = backing().pages.shelf();
    EXPECT_LT(first - &shelf(0), PageHeap::kShelfParts);
    {
      const TryLocked locked(first->lock());
      ASSERT_TRUE(locked);
      EXPECT_NE(backing().pages.shelf(), first);
    }
    EXPECT_LT(backing().pages.shelf() - &shelf(0), PageHeap::kShelfParts);
  }).join();
}

TEST_F(SpanShelfTest, AnyOrderOfAnyLengths) {
  test::Random random(7);
  std::map<std::byte*, std::size_t> blocks;
  for (int i = 0; i < 20'000; ++i) {
    const std::uint32_t by = random.below(3);
    if (blocks.size() < 24) {
      const std::size_t bytes = kPageBytes * (1 + random.below(60));
      std::byte* const block = allocate(bytes, by);
      ASSERT_NE(block, nullptr);
      const auto after = blocks.lower_bound(block);
      ASSERT_TRUE(after == blocks.end() || block + bytes <= after->first);
      ASSERT_TRUE(after == blocks.begin() ||
                  std::prev(after)->first + std::prev(after)->second <= block);
      blocks[block] = bytes;
    } else {
      const auto one = std::next(blocks.begin(), static_cast<long>(random.below(24)));
      free(one->first, by);
      blocks.erase(one);
    }
    if (i % 64 == 0) check();
  }
  PageCount sum;
  for (const auto& [block, bytes] : blocks) sum += pages_for(bytes);
  EXPECT_EQ(in_use(), sum);
  EXPECT_EQ(heap().large_figures(backing()).pages, sum);
  EXPECT_EQ(heap().large_figures(backing()).blocks, blocks.size());
  for (const auto& [block, bytes] : blocks) free(block, 2);
  backing().pages.release_all();
  EXPECT_EQ(backing().pages.figures().free, window().end());
  check();
}

}  // namespace
}  // namespace mini::alloc
