// Large blocks: whole pages of their own, room to grow in, and the heaps that a program makes.
#include "alloc/heap.h"

#include <algorithm>
#include <cstring>
#include <vector>

#include "alloc/check.h"
#include "alloc/heap_table.h"
#include "alloc_test.h"

namespace mini::alloc {
namespace {

constexpr std::size_t kMiB = std::size_t{1} << 20;

class HeapTest : public BackingTest {
 protected:
  std::byte* allocate(Heap::LargeRequest request) {
    return static_cast<std::byte*>(heap().allocate_large(backing(), request));
  }
  Span& span_of(const void* block) {
    const std::size_t offset = window().offset(block);
    return backing().span_at(offset, window().entry(offset));
  }
  bool resize(const void* block, std::size_t bytes) {
    return heap().resize_large(backing(), span_of(block), bytes);
  }
  void free(const void* block) { EXPECT_TRUE(heap().free_large(backing(), span_of(block), {})); }
  std::size_t usable(const void* block) { return span_of(block).pages.bytes(); }
  Heap& heap() { return *heap_; }

 private:
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
};

TEST_F(HeapTest, ALargeBlockIsWholePages) {
  std::byte* const block = allocate({.bytes = 100'000});
  EXPECT_EQ(usable(block), 25 * kPageBytes);
  std::memset(block, 1, usable(block));
  EXPECT_EQ(heap().large_figures(backing()).blocks, 1U);
  EXPECT_EQ(heap().large_figures(backing()).pages, pages(25));
  free(block);
  EXPECT_EQ(heap().large_figures(backing()).blocks, 0U);
  EXPECT_EQ(heap().large_figures(backing()).pages, pages(0));
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

TEST_F(HeapTest, ABlockOfNothingHasAPage) {
  EXPECT_EQ(usable(allocate({.bytes = 0, .alignment = 2 * kPageBytes})), kPageBytes);
}

TEST_F(HeapTest, AlignmentIsKept) {
  for (std::size_t alignment = kPageBytes; alignment <= 64 * kMiB; alignment *= 2) {
    std::byte* const block = allocate({.bytes = 5000, .alignment = alignment});
    ASSERT_NE(block, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
  }
}

TEST_F(HeapTest, WhatIsAskedForAsZerosIs) {
  const auto is_zero = [](const std::byte* block) {
    return std::all_of(block, block + kMiB, [](std::byte byte) { return byte == std::byte{0}; });
  };
  std::byte* const block = allocate({.bytes = kMiB, .zero = true});
  EXPECT_TRUE(is_zero(block));
  std::memset(block, 1, kMiB);
  free(block);
  EXPECT_EQ(allocate({.bytes = kMiB, .zero = true}), block);  // from the cache of spans
  EXPECT_TRUE(is_zero(block));
  std::memset(block, 1, kMiB);
  free(block);
  EXPECT_EQ(allocate({.bytes = 3 * kMiB, .zero = true}), block);
  EXPECT_TRUE(is_zero(block) && is_zero(block + kMiB) && is_zero(block + 2 * kMiB));
}

// A table that is hardly used takes what is used of it, wherever a block was before.
TEST_F(HeapTest, ALargeBlockOfZerosIsNotWrittenTo) {
  vm().set_huge_pages(kernel::vm::HugePages::kNever);
  std::byte* const used = allocate({.bytes = 200'000});
  std::memset(used, 1, 200'000);
  free(used);
  std::byte* const block = allocate({.bytes = 256 * kMiB, .zero = true});
  EXPECT_EQ(block, used);
  EXPECT_LE(test::FakeVm::resident_pages(block, 256 * kMiB), 200'000 / kPageBytes + 1);
  EXPECT_EQ(block[0], std::byte{0});
}

TEST_F(HeapTest, WhatNobodyCanHaveIsRefused) {
  EXPECT_EQ(allocate({.bytes = kLargestRequest + 1}), nullptr);
  EXPECT_EQ(allocate({.bytes = ~std::size_t{0}}), nullptr);
  EXPECT_EQ(allocate({.bytes = 1, .alignment = std::size_t{1} << 62}), nullptr);
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

TEST_F(HeapTest, TheLargestRequestIsServed) {
  std::byte* const block = allocate({.bytes = kLargestRequest});
  ASSERT_NE(block, nullptr);
  block[kLargestRequest - 1] = std::byte{1};
  free(block);
}

TEST_F(HeapTest, NothingIsKeptWhereThereIsNoMemory) {
  vm().limit_mapped(vm().mapped_bytes());
  EXPECT_EQ(allocate({.bytes = 100 * kMiB}), nullptr);
  EXPECT_EQ(backing().pages.in_use(), pages(0));
  EXPECT_EQ(heap().large_figures(backing()).blocks, 0U);
  vm().limit_mapped(SIZE_MAX);
  EXPECT_NE(allocate({.bytes = 100 * kMiB}), nullptr);
}

TEST_F(HeapTest, ABlockGrowsIntoFreePagesAfterIt) {
  std::byte* const block = allocate({.bytes = 100'000});
  std::memset(block, 1, 100'000);
  ASSERT_TRUE(resize(block, 300'000));
  EXPECT_GE(usable(block), 300'000U);
  std::memset(block, 2, usable(block));
  EXPECT_EQ(heap().large_figures(backing()).pages.bytes(), usable(block));
}

TEST_F(HeapTest, ABlockDoesNotGrowIntoItsNeighbour) {
  std::byte* const block = allocate({.bytes = 100'000});
  std::byte* const neighbour = allocate({.bytes = 100'000});
  ASSERT_EQ(neighbour, block + usable(block));
  EXPECT_FALSE(resize(block, usable(block) + 1));
  EXPECT_EQ(usable(block), 25 * kPageBytes);
}

TEST_F(HeapTest, AShrunkBlockGivesItsEndBack) {
  std::byte* const block = allocate({.bytes = kMiB});
  ASSERT_TRUE(resize(block, 100'000));
  EXPECT_EQ(usable(block), 25 * kPageBytes);
  EXPECT_EQ(backing().pages.in_use(), pages(25));
  EXPECT_EQ(allocate({.bytes = 100'000}), block + 25 * kPageBytes);
}

TEST_F(HeapTest, ResizingBeyondWhatThereIsIsRefused) {
  std::byte* const block = allocate({.bytes = 100'000});
  EXPECT_FALSE(resize(block, kLargestRequest + 1));
  EXPECT_FALSE(resize(block, ~std::size_t{0}));
  EXPECT_EQ(usable(block), 25 * kPageBytes);
}

TEST_F(HeapTest, ABlockThatIsToGrowGetsRoom) {
  std::byte* const block = allocate({.bytes = 4 * kMiB, .growing = true});
  const std::size_t room = usable(block);
  EXPECT_GE(room, 5 * kMiB);
  EXPECT_TRUE(resize(block, 5 * kMiB));
  EXPECT_TRUE(resize(block, 4 * kMiB));
  EXPECT_EQ(usable(block), room);
  EXPECT_EQ(span_of(block).kind, SpanKind::kGrowing);
}

TEST_F(HeapTest, ItsRoomIsGivenBackOnceItShrinksMuch) {
  std::byte* const block = allocate({.bytes = 4 * kMiB, .growing = true});
  ASSERT_TRUE(resize(block, kMiB));
  EXPECT_EQ(usable(block), kMiB);
  EXPECT_EQ(span_of(block).kind, SpanKind::kLarge);
  EXPECT_EQ(backing().pages.in_use().bytes(), kMiB);
}

TEST_F(HeapTest, WhereThereIsNoRoomForRoomABlockIsServedWithoutIt) {
  allocate({.bytes = 100});
  vm().limit_mapped(vm().mapped_bytes() + 65 * kMiB);
  EXPECT_NE(allocate({.bytes = 60 * kMiB, .growing = true}), nullptr);
}

TEST_F(HeapTest, ASmallBlockThatIsToGrowGetsNoRoom) {
  std::byte* const block = allocate({.bytes = 100'000, .growing = true});
  EXPECT_EQ(usable(block), 25 * kPageBytes);
}

TEST_F(HeapTest, AFreedBlockIsTheNextOneOfItsLength) {
  const std::byte* const low = allocate({.bytes = 100'000});
  const std::byte* const block = allocate({.bytes = 200'000});
  allocate({.bytes = 100});
  free(low);
  free(block);
  EXPECT_TRUE(backing().pages.caches(low));
  EXPECT_TRUE(backing().pages.caches(block));
  EXPECT_FALSE(backing().pages.caches(block + kPageBytes));
  vm().forget_records();
  EXPECT_EQ(allocate({.bytes = 199'000}), block);
  EXPECT_EQ(allocate({.bytes = 100'000}), low);
  EXPECT_TRUE(vm().records().empty());
  EXPECT_EQ(heap().large_figures(backing()).blocks, 3U);
  Checker::heap(heap(), backing());
}

TEST_F(HeapTest, WhatIsCachedCountsAsFree) {
  free(allocate({.bytes = 200'000}));
  const PageHeap::Figures figures = backing().pages.figures();
  EXPECT_EQ(figures.in_use, pages(0));
  EXPECT_EQ(figures.free, window().end());
  EXPECT_EQ(figures.resident_free, pages(49));
}

TEST_F(HeapTest, ABlockOfAnotherLengthFindsThePagesOfACachedOne) {
  std::byte* const block = allocate({.bytes = 200'000});
  free(block);
  EXPECT_EQ(allocate({.bytes = 100'000}), block);
  EXPECT_FALSE(backing().pages.caches(block));
  EXPECT_EQ(allocate({.bytes = 100'000}), block + 25 * kPageBytes);
}

TEST_F(HeapTest, ABlockGrowsIntoACachedOne) {
  std::byte* const block = allocate({.bytes = 100'000});
  free(allocate({.bytes = 100'000}));
  EXPECT_TRUE(resize(block, 200'000));
}

TEST_F(HeapTest, AnAlignedBlockIsNoneOfTheCachedOnes) {
  allocate({.bytes = 100});
  free(allocate({.bytes = 200'000}));
  std::byte* const block = allocate({.bytes = 200'000, .alignment = kMiB});
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % kMiB, 0U);
}

TEST_F(HeapTest, TheOldestMakesRoom) {
  std::vector<std::byte*> blocks;
  for (std::size_t i = 0; i < 9; ++i) {
    blocks.push_back(allocate({.bytes = (9 + i) * kPageBytes}));
  }
  for (const std::byte* block : blocks) free(block);
  EXPECT_FALSE(backing().pages.caches(blocks[0]));
  for (std::size_t i = 1; i < 9; ++i) EXPECT_TRUE(backing().pages.caches(blocks[i]));
  EXPECT_EQ(backing().pages.figures().free, window().end());
}

TEST_F(HeapTest, NoMoreIsCachedThanMayStayFree) {
  std::byte* const small = allocate({.bytes = 600'000});
  std::byte* const other = allocate({.bytes = 700'000});
  std::byte* const large = allocate({.bytes = 2 * kMiB});
  free(large);
  EXPECT_FALSE(backing().pages.caches(large));
  backing().pages.release_all();
  free(small);
  EXPECT_TRUE(backing().pages.caches(small));
  free(other);
  EXPECT_FALSE(backing().pages.caches(other));
  EXPECT_LE(backing().pages.figures().resident_free, pages(kMiB / kPageBytes));
}

TEST_F(HeapTest, WhatIsCachedIsGivenBackWhenAsked) {
  free(allocate({.bytes = 200'000}));
  EXPECT_EQ(backing().pages.release_all(), pages(49));
  EXPECT_EQ(backing().pages.figures().resident_free, pages(0));
}

TEST_F(HeapTest, WhatIsCachedIsForAShortTime) {
  std::byte* const block = allocate({.bytes = 200'000});
  free(block);
  backing().pages.settle();
  EXPECT_FALSE(backing().pages.caches(block));
}

TEST_F(HeapTest, OfTwoFreesOneFindsTheBlockGone) {
  Span& span = span_of(allocate({.bytes = 200'000}));
  EXPECT_TRUE(heap().free_large(backing(), span, {}));
  EXPECT_FALSE(heap().free_large(backing(), span, {}));
  EXPECT_EQ(heap().large_figures(backing()).blocks, 0U);
  Checker::heap(heap(), backing());
}

class HeapTableTest : public BackingTest {
 protected:
  Heap* create(const char* name = "") { return table_->create(backing(), name); }
  void destroy(Heap& heap) { table_->destroy(backing(), heap); }
  HeapTable& table() { return *table_; }

 private:
  std::unique_ptr<HeapTable> table_ = std::make_unique<HeapTable>();
};

TEST_F(HeapTableTest, HeapsHaveNumbersFromOneOn) {
  Heap* const a = create("a");
  Heap* const b = create("b");
  EXPECT_EQ(a->id(), 1);
  EXPECT_EQ(b->id(), 2);
  EXPECT_EQ(&table().at(1), a);
  EXPECT_EQ(&table().at(2), b);
  EXPECT_STREQ(a->name(), "a");
}

TEST_F(HeapTableTest, ALongNameIsCutShort) {
  const std::string name(100, 'x');
  EXPECT_EQ(create(name.c_str())->name(), std::string(31, 'x'));
}

TEST_F(HeapTableTest, ADestroyedHeapFreesAllThatIsInItAndNothingElse) {
  Heap* const kept = create();
  Heap* const heap = create();
  std::vector<void*> small_kept;
  for (int i = 0; i < 100; ++i) {
    small_kept.push_back(kept->allocate_small(backing(), class_of(100)));
  }
  kept->allocate_large(backing(), {.bytes = kMiB});
  const PageCount before = backing().pages.in_use();
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    for (int k = 0; k < 10; ++k) heap->allocate_small(backing(), static_cast<ClassIndex>(i));
  }
  for (int i = 0; i < 20; ++i) heap->allocate_large(backing(), {.bytes = 100'000});
  Checker::heap(*heap, backing());
  destroy(*heap);
  EXPECT_EQ(backing().pages.in_use(), before);
  Checker::heap(*kept, backing());
  for (void* block : small_kept) kept->free_small(backing(), class_of(100), block);
  EXPECT_EQ(backing().pages.in_use().bytes(), kMiB);
}

TEST_F(HeapTableTest, NumbersAndMemoryOfDestroyedHeapsAreUsedAgain) {
  create();
  Heap* const second = create();
  create();
  const std::size_t used = backing().records.used_bytes();
  destroy(*second);
  Heap* const again = create("again");
  EXPECT_EQ(again->id(), 2);
  EXPECT_STREQ(again->name(), "again");
  EXPECT_EQ(again->large_figures(backing()).blocks, 0U);
  EXPECT_EQ(backing().records.used_bytes(), used);
  EXPECT_EQ(create()->id(), 4);
}

TEST_F(HeapTableTest, ForEachShowsTheLivingOnes) {
  create();
  Heap* const second = create();
  create();
  destroy(*second);
  std::vector<HeapId> ids;
  table().for_each([&](Heap& heap) { ids.push_back(heap.id()); });
  EXPECT_EQ(ids, (std::vector<HeapId>{1, 3}));
}

TEST_F(HeapTableTest, WithoutMemoryThereIsNoneAndLaterThereIs) {
  vm().limit_mapped(vm().mapped_bytes());
  std::size_t count = 0;
  while (create() != nullptr) ++count;
  EXPECT_LT(count, 1000U);
  EXPECT_EQ(create(), nullptr);
  vm().limit_mapped(SIZE_MAX);
  Heap* const heap = create();
  ASSERT_NE(heap, nullptr);
  EXPECT_EQ(heap->id(), count + 1);
}

TEST_F(HeapTableTest, BlocksOfAnOwnHeapAreMarkedInThePageMap) {
  Heap* const heap = create();
  const void* const block = heap->allocate_small(backing(), class_of(64));
  const PageEntry entry = window().entry(window().offset(block));
  EXPECT_EQ(entry.code, class_of(64) | kCodeOwnHeap);
  EXPECT_EQ(backing().span_at(window().offset(block), entry).heap, heap->id());
}

}  // namespace
}  // namespace mini::alloc
