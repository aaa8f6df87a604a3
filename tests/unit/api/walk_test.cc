// The walk shows every block, whoever is at work.
#include <algorithm>
#include <atomic>
#include <cstdlib>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <minimalloc/minimalloc.h>
#include <set>
#include <sys/mman.h>
#include <thread>
#include <vector>

namespace mini::api {
namespace {

/// Blocks that a walk showed, in memory that is nobody's heap.
class Shown {
 public:
  Shown() {
    blocks_ = static_cast<minimalloc_block*>(
        ::mmap(nullptr, kMost * sizeof(minimalloc_block), PROT_READ | PROT_WRITE,
               MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0));
  }
  Shown(const Shown&) = delete;
  Shown& operator=(const Shown&) = delete;
  ~Shown() { ::munmap(blocks_, kMost * sizeof(minimalloc_block)); }

  void walk(const minimalloc_heap* heap = nullptr) {
    count_ = 0;
    ASSERT_EQ(minimalloc_walk(heap, add, this), 0);
  }
  const minimalloc_block* begin() const { return blocks_; }
  const minimalloc_block* end() const { return blocks_ + count_; }
  std::size_t size() const { return count_; }

  std::map<const void*, minimalloc_block> live() const {
    std::map<const void*, minimalloc_block> found;
    for (const minimalloc_block& block : *this) {
      if (block.state != MINIMALLOC_BLOCK_LIVE) continue;
      EXPECT_TRUE(found.emplace(block.address, block).second) << block.address << " twice";
    }
    return found;
  }

 private:
  static int add(const minimalloc_block* block, void* self) {
    auto& shown = *static_cast<Shown*>(self);
    if (shown.count_ == kMost) return 1;
    shown.blocks_[shown.count_++] = *block;
    return 0;
  }

  static constexpr std::size_t kMost = std::size_t{1} << 21;
  minimalloc_block* blocks_;
  std::size_t count_ = 0;
};

minimalloc_stats read_stats() {
  minimalloc_stats stats{};
  stats.struct_size = sizeof stats;
  EXPECT_EQ(minimalloc_stats_read(&stats), 0);
  return stats;
}

TEST(Walk, ShowsEachLiveBlockOnceWithItsSize) {
  Shown shown;
  std::vector<std::pair<void*, std::size_t>> blocks;
  for (std::size_t i = 0; i < 5000; ++i) {
    const std::size_t size = i * i % 100'000;
    blocks.emplace_back(std::malloc(size), size);
  }
  shown.walk();
  const auto live = shown.live();
  for (const auto& [address, size] : blocks) {
    const auto found = live.find(address);
    ASSERT_NE(found, live.end()) << size;
    EXPECT_GE(found->second.usable_bytes, size);
    EXPECT_EQ(found->second.heap_id, 0U);
  }
  for (const auto& [address, size] : blocks) std::free(address);
}

TEST(Walk, BlocksDoNotOverlap) {
  Shown shown;
  shown.walk();
  std::vector<minimalloc_block> blocks(shown.begin(), shown.end());
  std::sort(blocks.begin(), blocks.end(),
            [](const auto& a, const auto& b) { return a.address < b.address; });
  for (std::size_t i = 1; i < blocks.size(); ++i) {
    EXPECT_LE(static_cast<char*>(blocks[i - 1].address) + blocks[i - 1].usable_bytes,
              static_cast<char*>(blocks[i].address));
  }
}

TEST(Walk, AFreedBlockIsNotLive) {
  Shown shown;
  std::vector<void*> blocks(2000);
  for (void*& block : blocks) block = std::malloc(300);
  for (void* block : blocks) std::free(block);
  shown.walk();
  const auto live = shown.live();
  for (void* block : blocks) EXPECT_EQ(live.count(block), 0U);
}

TEST(Walk, AddsUpToTheStatistics) {
  Shown shown;
  std::vector<void*> blocks(3000);
  for (std::size_t i = 0; i < blocks.size(); ++i) blocks[i] = std::malloc(i * 13 % 50'000);
  for (std::size_t i = 0; i < blocks.size(); i += 2) std::free(blocks[i]);
  shown.walk();
  const minimalloc_stats stats = read_stats();
  std::map<minimalloc_block_state, std::pair<std::uint64_t, std::uint64_t>> sums;
  for (const minimalloc_block& block : shown) {
    if (block.size_class == 0 && block.state != MINIMALLOC_BLOCK_LIVE) continue;  // a pool's
    ++sums[block.state].first;
    sums[block.state].second += block.usable_bytes;
  }
  EXPECT_EQ(sums[MINIMALLOC_BLOCK_LIVE], std::pair(stats.live_count, stats.live_bytes));
  EXPECT_EQ(sums[MINIMALLOC_BLOCK_CACHED], std::pair(stats.cached_count, stats.cached_bytes));
  EXPECT_EQ(sums[MINIMALLOC_BLOCK_IN_DEPOT], std::pair(stats.depot_count, stats.depot_bytes));
  EXPECT_EQ(sums[MINIMALLOC_BLOCK_FREE], std::pair(stats.slab_free_count, stats.slab_free_bytes));
  for (std::size_t i = 1; i < blocks.size(); i += 2) std::free(blocks[i]);
}

TEST(Walk, OfOneHeapShowsThatAlone) {
  Shown shown;
  minimalloc_heap* const heap = minimalloc_heap_create("walked");
  void* const small = minimalloc_heap_malloc(heap, 50);
  void* const large = minimalloc_heap_malloc(heap, 500'000);
  void* const other = std::malloc(50);
  shown.walk(heap);
  const auto live = shown.live();
  EXPECT_EQ(live.size(), 2U);
  EXPECT_EQ(live.count(small), 1U);
  EXPECT_EQ(live.count(large), 1U);
  for (const minimalloc_block& block : shown) EXPECT_EQ(block.heap_id, minimalloc_heap_id(heap));
  shown.walk();
  EXPECT_EQ(shown.live().count(small) + shown.live().count(other), 2U);
  std::free(other);
  minimalloc_heap_destroy(heap);
}

TEST(Walk, EndsWhereTheVisitorSaysSo) {
  int count = 0;
  const auto visit = [](const minimalloc_block*, void* context) {
    return ++*static_cast<int*>(context) == 10 ? 42 : 0;
  };
  EXPECT_EQ(minimalloc_walk(nullptr, visit, &count), 42);
  EXPECT_EQ(count, 10);
}

TEST(Walk, TheVisitorMayAllocateFreeAndWalk) {
  std::vector<void*> made;
  const auto visit = [](const minimalloc_block*, void* context) {
    auto& list = *static_cast<std::vector<void*>*>(context);
    if (list.size() >= 20'000) return 1;
    list.push_back(std::malloc(list.size() % 700));
    std::free(std::malloc(100'000));
    if (list.size() % 1000 != 0) return 0;
    int count = 0;
    minimalloc_walk(
        nullptr,
        [](const minimalloc_block*, void* n) { return ++*static_cast<int*>(n) == 1000 ? 1 : 0; },
        &count);
    return 0;
  };
  minimalloc_walk(nullptr, visit, &made);
  EXPECT_FALSE(made.empty());
  for (void* block : made) std::free(block);
}

class Churn {
 public:
  explicit Churn(unsigned threads) {
    for (unsigned i = 0; i < threads; ++i) {
      threads_.emplace_back([this, i] { run(i); });
    }
    while (rounds_ < threads) std::this_thread::yield();
  }
  ~Churn() {
    stop_ = true;
    for (std::thread& thread : threads_) thread.join();
  }

 private:
  void run(unsigned seed) {
    std::vector<void*> blocks(2000);
    while (!stop_) {
      for (int i = 0; i < 20'000; ++i) {
        seed = seed * 1664525 + 1013904223;
        void*& block = blocks[(seed >> 8) % blocks.size()];
        std::free(block);
        block = std::malloc((seed >> 12) % 100 == 0 ? 200'000 : (seed >> 12) % 2000);
      }
      ++rounds_;
    }
    for (void* block : blocks) std::free(block);
  }

  std::atomic<bool> stop_ = false;
  std::atomic<unsigned> rounds_ = 0;
  std::vector<std::thread> threads_;
};

TEST(Walk, ShowsWhatStaysWhileOthersAreAtWork) {
  Shown shown;
  std::vector<void*> kept(5000);
  for (std::size_t i = 0; i < kept.size(); ++i) kept[i] = std::malloc(i % 3000 + 1);
  const Churn churn(3);
  for (int round = 0; round < 10; ++round) {
    shown.walk();
    std::multiset<const void*> addresses;
    std::set<const void*> live;
    for (const minimalloc_block& block : shown) {
      addresses.insert(block.address);
      if (block.state == MINIMALLOC_BLOCK_LIVE) live.insert(block.address);
    }
    for (void* block : kept) {
      ASSERT_EQ(addresses.count(block), 1U);
      ASSERT_EQ(live.count(block), 1U);
    }
  }
  for (void* block : kept) std::free(block);
}

}  // namespace
}  // namespace mini::api
