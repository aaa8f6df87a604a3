// A thread's stacks of free blocks: how they grow, what goes back and when.
#include "alloc/thread_cache.h"

#include <algorithm>
#include <set>
#include <vector>

#include "alloc/check.h"
#include "alloc/heap.h"
#include "alloc/options.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

constexpr std::uint64_t kSecond = 1'000'000'000;

class ThreadCacheTest : public BackingTest {
 protected:
  ~ThreadCacheTest() override {
    g_options.thread_cache_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  }

  // As Allocator does it, without the rest of it.
  void* allocate(ClassIndex size_class, bool shared = false) {
    void* const block = cache().pop(size_class);
    return block != nullptr ? block : cache().refill(size_class, shared);
  }
  void free(ClassIndex size_class, void* block, bool shared = false) {
    if (cache().push(size_class, block)) return;
    cache().make_room(size_class, shared);
    if (!cache().push(size_class, block)) heap().free_small(backing(), size_class, block);
  }
  std::vector<void*> allocate_many(ClassIndex size_class, std::size_t count, bool shared = false) {
    std::vector<void*> blocks;
    while (blocks.size() < count) blocks.push_back(allocate(size_class, shared));
    return blocks;
  }
  void free_all(ClassIndex size_class, const std::vector<void*>& blocks, bool shared = false) {
    for (void* block : blocks) free(size_class, block, shared);
  }
  void check() { Checker::cache(cache()); }
  std::uint64_t in_use(ClassIndex size_class) {
    const Bin::Figures figures = heap().bin(size_class).figures();
    return figures.blocks_out - figures.blocks_in_depot - cache().count(size_class);
  }

  ThreadCache& cache() { return *cache_; }
  Heap& heap() { return *heap_; }

  static constexpr ClassIndex kSmall = class_of(64);

 private:
  std::unique_ptr<Heap> heap_ = std::make_unique<Heap>();
  std::unique_ptr<ThreadCache> cache_ = std::make_unique<ThreadCache>(backing(), heap_->bins());
};

TEST_F(ThreadCacheTest, IsEmptyAtFirst) {
  EXPECT_EQ(cache().pop(kSmall), nullptr);
  EXPECT_EQ(cache().count(kSmall), 0U);
  EXPECT_FALSE(cache().push(kSmall, this));  // there is no stack yet
  EXPECT_FALSE(cache().busy());
  check();
}

TEST_F(ThreadCacheTest, TheLastFreedBlockIsTheNextTaken) {
  const std::vector<void*> blocks = allocate_many(kSmall, 3);
  free_all(kSmall, blocks);
  EXPECT_EQ(allocate(kSmall), blocks[2]);
  EXPECT_EQ(allocate(kSmall), blocks[1]);
  EXPECT_EQ(allocate(kSmall), blocks[0]);
}

// A signal handler frees between the look into the empty stack and the refill; the stack may not
// grow.
TEST_F(ThreadCacheTest, ARefillOfAFullStackTakesFromIt) {
  backing().pages.prepare();
  g_options.thread_cache_bytes.store(0, std::memory_order_relaxed);
  std::vector<void*> blocks = allocate_many(kSmall, 100);
  std::size_t freed = 0;
  while (cache().push(kSmall, blocks[freed])) ++freed;
  const std::uint32_t full = cache().count(kSmall);
  EXPECT_EQ(cache().refill(kSmall, false), blocks[freed - 1]);
  EXPECT_EQ(cache().count(kSmall), full - 1);
  check();
}

TEST_F(ThreadCacheTest, ARefillGivesTheLowestAddressFirst) {
  const std::vector<void*> blocks = allocate_many(kSmall, 4);
  EXPECT_TRUE(std::ranges::is_sorted(blocks));
}

TEST_F(ThreadCacheTest, FewBlocksAreTakenForAClassThatIsSeldomUsed) {
  allocate(kSmall);
  EXPECT_LE(cache().count(kSmall), 8U);
}

TEST_F(ThreadCacheTest, StacksGrowWithDemandUpToTheirClasssMost) {
  backing().pages.prepare();
  g_options.thread_cache_bytes.store(std::size_t{64} << 20, std::memory_order_relaxed);
  for (const std::size_t bytes : {16U, 64U, 1024U, 32768U}) {
    const ClassIndex size_class = class_of(bytes);
    const std::vector<void*> blocks = allocate_many(size_class, 2000);
    free_all(size_class, blocks);
    EXPECT_LE(cache().count(size_class), kSizeClasses[size_class].cached_most);
    EXPECT_GE(cache().count(size_class), kSizeClasses[size_class].cached_most / 2);
    check();
  }
}

TEST_F(ThreadCacheTest, AllStacksTogetherStayWithinABudget) {
  std::vector<std::vector<void*>> blocks(kClassCount);
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    blocks[i] = allocate_many(static_cast<ClassIndex>(i), 300);
  }
  std::size_t bytes = 0;
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    free_all(static_cast<ClassIndex>(i), blocks[i]);
    bytes += std::size_t{cache().count(static_cast<ClassIndex>(i))} * kSizeClasses[i].block_bytes;
  }
  check();
  EXPECT_LT(bytes, (std::size_t{512} << 10) + kClassCount * (std::size_t{32} << 10));
}

TEST_F(ThreadCacheTest, ThereIsNoBudgetForWhoeverChoseNone) {
  g_options.thread_cache_bytes.store(0, std::memory_order_relaxed);
  free_all(kSmall, allocate_many(kSmall, 2000));
  EXPECT_LE(cache().count(kSmall), 8U);
  check();
}

TEST_F(ThreadCacheTest, WhatGrewByAnotherBudgetIsInOrder) {
  g_options.thread_cache_bytes.store(std::size_t{64} << 20, std::memory_order_relaxed);
  std::size_t bytes = 0;
  for (ClassIndex i = class_of(1024); i <= class_of(32768); ++i) {
    free_all(i, allocate_many(i, 400));
    bytes += std::size_t{cache().count(i)} * kSizeClasses[i].block_bytes;
  }
  ASSERT_GT(bytes, std::size_t{1} << 20);
  g_options.thread_cache_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  check();
  for (ClassIndex i = class_of(1024); i <= class_of(32768); ++i) {
    free_all(i, allocate_many(i, 400));
    check();
  }
}

TEST_F(ThreadCacheTest, AFullStackKeepsTheBlocksThatWereFreedLast) {
  g_options.thread_cache_bytes.store(0, std::memory_order_relaxed);
  const std::vector<void*> blocks = allocate_many(kSmall, 100);
  free_all(kSmall, blocks);
  for (std::size_t i = 0; i < 3; ++i) EXPECT_EQ(allocate(kSmall), blocks[99 - i]);
}

TEST_F(ThreadCacheTest, WhatIsFreedReachesItsSlabsSoonerOrLater) {
  const std::vector<void*> blocks = allocate_many(kSmall, 5000);
  const PageCount used = backing().pages.in_use();
  free_all(kSmall, blocks);
  EXPECT_LT(backing().pages.in_use().count, used.count / 4);
  EXPECT_EQ(in_use(kSmall), 0U);
}

TEST_F(ThreadCacheTest, ADrainedCacheHoldsNothingAndGoesOn) {
  free_all(kSmall, allocate_many(kSmall, 500));
  cache().drain();
  check();
  EXPECT_EQ(cache().count(kSmall), 0U);
  EXPECT_EQ(backing().pages.in_use(), pages(0));
  EXPECT_NE(allocate(kSmall), nullptr);
}

TEST_F(ThreadCacheTest, ADismantledCacheReturnsItsRecords) {
  free_all(kSmall, allocate_many(kSmall, 500));
  free_all(class_of(1000), allocate_many(class_of(1000), 500));
  cache().dismantle();
  check();
  EXPECT_EQ(backing().pages.in_use(), pages(0));
  const std::size_t used = backing().records.used_bytes();
  // The next thread's stacks are made of them.
  free_all(kSmall, allocate_many(kSmall, 500));
  free_all(class_of(1000), allocate_many(class_of(1000), 500));
  EXPECT_EQ(backing().records.used_bytes(), used);
}

TEST_F(ThreadCacheTest, AClassThatIsNotUsedForAWhileGivesBlocksBack) {
  free_all(kSmall, allocate_many(kSmall, 500));
  const std::uint32_t before = cache().count(kSmall);
  const ClassIndex other = class_of(1000);
  for (int i = 0; i < 20; ++i) {
    vm().advance(kSecond);
    free_all(other, allocate_many(other, 2000));
  }
  EXPECT_LT(cache().count(kSmall), before / 4);
  check();
}

TEST_F(ThreadCacheTest, AClassThatIsUsedKeepsItsBlocks) {
  for (int i = 0; i < 20; ++i) {
    vm().advance(kSecond);
    free_all(kSmall, allocate_many(kSmall, 1000));
  }
  EXPECT_GT(cache().count(kSmall), 20U);
}

// Tidying may happen on the way to make room in the very stack that it tidies.
TEST_F(ThreadCacheTest, AHeapThatHasShrunkHasAStackForEachClass) {
  g_options.retained_bytes.store(0, std::memory_order_relaxed);
  const ClassIndex large = class_of(4096);
  std::vector<std::pair<ClassIndex, std::vector<void*>>> phase;
  for (ClassIndex i = class_of(1024); i <= large; ++i)
    phase.emplace_back(i, allocate_many(i, 3000));
  for (const auto& [size_class, blocks] : phase) free_all(size_class, blocks);
  ASSERT_LT(backing().pages.in_use().bytes(), std::size_t{4} << 20);
  void* const block = allocate(kSmall);
  free(kSmall, block);
  EXPECT_EQ(cache().pop(kSmall), block);
  check();
  g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
}

TEST_F(ThreadCacheTest, AHeapThatHasShrunkKeepsNoBlocksBetweenThreads) {
  g_options.retained_bytes.store(0, std::memory_order_relaxed);
  const std::vector<void*> early = allocate_many(kSmall, 2000, true);
  const ClassIndex other = class_of(4096);
  const std::vector<void*> late = allocate_many(other, 3000, true);
  free_all(kSmall, early, true);
  ASSERT_GT(heap().bin(kSmall).figures().blocks_in_depot, 0U);
  free_all(other, late, true);
  EXPECT_EQ(heap().bin(kSmall).figures().blocks_in_depot, 0U);
  EXPECT_EQ(heap().bin(kSmall).figures().slabs, 0U);
  check();
  g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
}

TEST_F(ThreadCacheTest, ManyThreadsDivideTheBudget) {
  const auto cached_bytes = [this](std::uint32_t threads) {
    backing().threads.store(threads, std::memory_order_relaxed);
    std::size_t bytes = 0;
    for (const std::size_t size : {64U, 256U, 1024U}) {
      cache().drain();
      const ClassIndex size_class = class_of(size);
      free_all(size_class, allocate_many(size_class, 2000));
      bytes += cache().count(size_class) * size;
    }
    cache().dismantle();
    return bytes;
  };
  allocate_many(class_of(4096), 8192);  // a heap of 32 MiB
  const std::size_t alone = cached_bytes(1);
  EXPECT_EQ(cached_bytes(8), alone);
  EXPECT_LT(cached_bytes(128), alone / 2);
}

TEST_F(ThreadCacheTest, AClassThatIsNotUsedForAWhileLeavesItsShareToOthers) {
  g_options.thread_cache_bytes.store(std::size_t{8} << 10, std::memory_order_relaxed);
  free_all(kSmall, allocate_many(kSmall, 2000));
  const std::uint32_t grown = cache().count(kSmall);
  ASSERT_GT(grown, 32U);
  const ClassIndex other = class_of(32);
  free_all(other, allocate_many(other, 2000));
  ASSERT_LT(cache().count(other), 32U);
  for (int i = 0; i < 20; ++i) {
    vm().advance(kSecond);
    free_all(other, allocate_many(other, 2000));
    check();
  }
  EXPECT_LE(cache().count(kSmall), 8U);
  EXPECT_GT(cache().count(other), grown);
}

TEST_F(ThreadCacheTest, RoomIsMadeRightlyWhereTidyingMadeSomeAlready) {
  test::Random random(5);
  std::vector<std::vector<void*>> blocks(kClassCount);
  for (int step = 0; step < 50'000; ++step) {
    if (random.one_in(50)) vm().advance(kSecond);
    const std::uint32_t i = 1 + random.below(random.one_in(10) ? kClassCount - 1 : 3);
    const auto size_class = static_cast<ClassIndex>(i);
    if (random.one_in(2) && blocks[i].size() < 100) {
      blocks[i].push_back(allocate(size_class));
    } else if (!blocks[i].empty()) {
      free(size_class, blocks[i].back());
      blocks[i].pop_back();
    }
    if (step % 64 == 0) check();
  }
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    EXPECT_EQ(in_use(static_cast<ClassIndex>(i)), blocks[i].size());
  }
}

TEST_F(ThreadCacheTest, SharedBlocksGoThroughTheDepot) {
  g_options.thread_cache_bytes.store(0, std::memory_order_relaxed);
  free_all(kSmall, allocate_many(kSmall, 40, true), true);
  EXPECT_GT(heap().bin(kSmall).figures().blocks_in_depot, 0U);
  EXPECT_EQ(in_use(kSmall), 0U);
}

TEST_F(ThreadCacheTest, ABlockOfAnotherThreadThatIsFreedFirstGoesToItsSlab) {
  const ClassIndex tiny = class_of(16);
  void* const anothers = heap().allocate_small(backing(), tiny);
  void* const second = heap().allocate_small(backing(), tiny);
  free(tiny, anothers, true);
  EXPECT_EQ(cache().count(tiny), 0U);
  EXPECT_EQ(in_use(tiny), 1U);
  // A thread that frees for others does not take the bin's lock each time.
  free(tiny, second, true);
  EXPECT_EQ(cache().count(tiny), 1U);
  check();
}

TEST_F(ThreadCacheTest, WithOneThreadABlockThatIsFreedFirstIsKept) {
  const ClassIndex tiny = class_of(16);
  free(tiny, heap().allocate_small(backing(), tiny));
  EXPECT_EQ(cache().count(tiny), 1U);
}

TEST_F(ThreadCacheTest, WithoutMemoryForAStackBlocksComeAndGoOneByOne) {
  heap().allocate_small(backing(), kSmall);
  vm().limit_mapped(vm().mapped_bytes());
  for (std::size_t bytes = 64; bytes <= 1U << 16; bytes *= 2) {
    while (backing().records.take(bytes) != nullptr) {
    }
  }
  void* const a = allocate(kSmall);
  void* const b = allocate(kSmall);
  ASSERT_NE(a, nullptr);
  ASSERT_NE(b, nullptr);
  EXPECT_NE(a, b);
  free(kSmall, a);
  free(kSmall, b);
  EXPECT_EQ(in_use(kSmall), 1U);
  check();
}

TEST_F(ThreadCacheTest, WithoutMemoryForBlocksThereAreNone) {
  vm().limit_mapped(vm().mapped_bytes());
  std::size_t count = 0;
  while (allocate(class_of(30'000)) != nullptr) ++count;
  EXPECT_LT(count, 100U);
  EXPECT_EQ(allocate(class_of(30'000)), nullptr);
  check();
  vm().limit_mapped(SIZE_MAX);
  EXPECT_NE(allocate(class_of(30'000)), nullptr);
}

TEST_F(ThreadCacheTest, KnowsWhatItHoldsAndWhatWasFreedLast) {
  const std::vector<void*> blocks = allocate_many(kSmall, 3);
  EXPECT_FALSE(cache().freed_recently(blocks[0]));
  free(kSmall, blocks[0]);
  EXPECT_TRUE(cache().freed_recently(blocks[0]));
  EXPECT_TRUE(cache().holds(kSmall, blocks[0]));
  EXPECT_FALSE(cache().holds(kSmall, blocks[1]));
  EXPECT_EQ(allocate(kSmall), blocks[0]);
  EXPECT_FALSE(cache().freed_recently(blocks[0]));
}

TEST(RecentFrees, ForgetsABlockOnlyForOneThatTakesItsPlace) {
  RecentFrees recent;
  std::vector<char> memory(100'000);
  std::size_t known = 0;
  for (std::size_t i = 0; i < 100; ++i) recent.add(&memory[i * 64]);
  for (std::size_t i = 0; i < 100; ++i) known += recent.contains(&memory[i * 64]) ? 1U : 0U;
  EXPECT_GE(known, 70U);
  EXPECT_TRUE(recent.contains(&memory[99 * 64]));
  recent.remove(&memory[99 * 64]);
  EXPECT_FALSE(recent.contains(&memory[99 * 64]));
  EXPECT_FALSE(recent.contains(&memory[7]));
}

}  // namespace
}  // namespace mini::alloc
