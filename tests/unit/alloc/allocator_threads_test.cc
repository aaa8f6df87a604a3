// The allocator under several real threads. Deterministic it is not: what is tested is what holds
// whoever comes first, and under ThreadSanitizer that nothing is shared without order.
#include <array>
#include <atomic>
#include <cstring>
#include <functional>
#include <map>
#include <mutex>
#include <thread>
#include <vector>

#include "alloc/allocator.h"
#include "alloc/check.h"
#include "alloc/inside.h"
#include "alloc/options.h"
#include "alloc/statistics.h"
#include "alloc/walk.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::Random;

constexpr std::uint32_t kThreads = 4;

// Whether ThreadSanitizer runs the test. A walk and the statistics read what threads change at that
// moment, and know to make something of it; it cannot know that.
#if defined(__SANITIZE_THREAD__)
constexpr bool kOrderIsWatched = true;
#else
constexpr bool kOrderIsWatched = false;
#endif

class AllocatorThreadsTest : public KernelTest {
 protected:
  AllocatorThreadsTest() { t_thread = {}; }
  ~AllocatorThreadsTest() override {
    t_thread = {};
    g_options.retained_bytes.store(Options::kByDefault, std::memory_order_relaxed);
    g_options.thread_cache_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  }

  // Runs work(0) … work(count - 1), each in a thread of its own that ends as a program's does.
  void in_threads(std::uint32_t count, const std::function<void(std::uint32_t)>& work) {
    std::vector<std::thread> threads;
    for (std::uint32_t i = 0; i < count; ++i) {
      threads.emplace_back([&, i] {
        work(i);
        allocator().end_thread();
      });
    }
    for (std::thread& thread : threads) thread.join();
  }
  // Lets another thread do something again and again while kThreads threads are at work.
  void meanwhile(const std::function<void(Random&)>& other) {
    std::atomic<std::uint32_t> at_work{kThreads};
    in_threads(kThreads + 1, [&](std::uint32_t thread) {
      Random random(thread);
      if (thread < kThreads) {
        work(random, thread);
        at_work.fetch_sub(1, std::memory_order_relaxed);
        return;
      }
      do {
        other(random);
      } while (at_work.load(std::memory_order_relaxed) != 0);
    });
  }
  void work(Random& random, std::uint32_t thread);
  // With all threads gone and everything freed nothing is left.
  void expect_empty() {
    allocator().end_thread();
    t_thread = {};
    allocator().trim();
    Checker::everything(allocator());
    EXPECT_EQ(allocator().backing().pages.figures().in_use, pages(0));
  }

  Allocator& allocator() { return memory_->allocator; }

 private:
  struct Memory {
    alignas(kGranule) std::array<std::byte, 65536> emergency{};
    Pool pool{emergency.data(), emergency.size()};
    Allocator allocator{pool};
  };
  std::unique_ptr<Memory> memory_ = std::make_unique<Memory>();
};

// A block that says whose it is at both ends.
class Marked {
 public:
  Marked() = default;
  Marked(void* p, std::size_t bytes, std::uint32_t owner)
      : begin_(static_cast<unsigned char*>(p)), bytes_(bytes), mark_(owner % 251 + 1) {
    if (bytes_ == 0) return;
    begin_[0] = begin_[bytes_ - 1] = static_cast<unsigned char>(mark_);
  }
  void* address() const { return begin_; }
  std::size_t bytes() const { return bytes_; }
  bool is_whole() const {
    return bytes_ == 0 || (begin_[0] == mark_ && begin_[bytes_ - 1] == mark_);
  }

 private:
  unsigned char* begin_ = nullptr;
  std::size_t bytes_ = 0;
  std::uint32_t mark_ = 0;
};

std::size_t random_size(Random& random) {
  return random.size_up_to(random.one_in(40) ? 300'000 : 2000);
}

void AllocatorThreadsTest::work(Random& random, std::uint32_t thread) {
  std::vector<Marked> blocks(100);
  for (int i = 0; i < 10'000; ++i) {
    Marked& block = blocks[random.below(100)];
    EXPECT_TRUE(block.is_whole());
    allocator().free(block.address());
    const std::size_t bytes = random_size(random);
    void* const p =
        random.one_in(8) ? allocator().allocate_zeroed(bytes) : allocator().allocate(bytes);
    ASSERT_NE(p, nullptr);
    block = {p, bytes, thread};
  }
  for (const Marked& block : blocks) allocator().free(block.address());
}

TEST_F(AllocatorThreadsTest, EachWorksForItself) {
  in_threads(kThreads, [this](std::uint32_t thread) {
    Random random(thread);
    work(random, thread);
  });
  expect_empty();
}

TEST_F(AllocatorThreadsTest, BlocksGoFromHandToHand) {
  // Whoever comes puts a block of its own in a slot and frees what was there.
  struct Slot {
    std::mutex mutex;
    Marked block;
  };
  std::vector<Slot> slots(64);
  in_threads(kThreads, [&](std::uint32_t thread) {
    Random random(thread);
    for (int i = 0; i < 10'000; ++i) {
      const std::size_t bytes = random_size(random);
      Marked block(allocator().allocate(bytes), bytes, thread);
      Slot& slot = slots[random.below(64)];
      {
        const std::scoped_lock locked(slot.mutex);
        std::swap(block, slot.block);
      }
      EXPECT_TRUE(block.is_whole());
      if (block.address() != nullptr) allocator().free_sized(block.address(), block.bytes());
    }
  });
  for (const Slot& slot : slots) allocator().free(slot.block.address());
  expect_empty();
}

TEST_F(AllocatorThreadsTest, SomeAllocateAndOthersFree) {
  // A block is handed over by its address alone, as in a queue without locks.
  std::array<std::atomic<std::uint64_t*>, 256> slots{};
  std::atomic<std::uint32_t> done{0};
  in_threads(kThreads, [&](std::uint32_t thread) {
    Random random(thread);
    if (thread % 2 == 0) {
      for (std::uint64_t i = 0; i < 8000; ++i) {
        auto* const block =
            static_cast<std::uint64_t*>(allocator().allocate(16 + random.below(900)));
        *block = i;
        allocator().free(slots[random.below(256)].exchange(block, std::memory_order_acq_rel));
      }
      done.fetch_add(1, std::memory_order_relaxed);
      return;
    }
    while (done.load(std::memory_order_relaxed) != kThreads / 2) {
      std::uint64_t* const block =
          slots[random.below(256)].exchange(nullptr, std::memory_order_acq_rel);
      if (block == nullptr) continue;
      EXPECT_LT(*block, 8000U);
      allocator().free(block);
    }
  });
  for (const auto& slot : slots) allocator().free(slot.load(std::memory_order_relaxed));
  expect_empty();
}

// In one table of all threads: what a thread frees is most likely another's.
TEST_F(AllocatorThreadsTest, LargeBlocksAreReplacedByAnyThread) {
  std::array<std::mutex, 24> locks;
  std::array<Marked, 24> blocks;
  in_threads(kThreads, [&](std::uint32_t thread) {
    Random random(thread);
    for (int i = 0; i < 4'000; ++i) {
      const std::size_t bytes = 33'000 + random.below(200'000);
      void* const p =
          random.one_in(8) ? allocator().allocate_zeroed(bytes) : allocator().allocate(bytes);
      ASSERT_NE(p, nullptr);
      Marked block(p, bytes, thread);
      {
        const std::uint32_t slot = random.below(24);
        const std::scoped_lock lock(locks[slot]);
        std::swap(blocks[slot], block);
      }
      ASSERT_TRUE(block.is_whole());
      allocator().free(block.address());
      if (random.one_in(500)) allocator().trim();
    }
  });
  Checker::everything(allocator());
  for (const Marked& block : blocks) allocator().free(block.address());
  expect_empty();
}

TEST_F(AllocatorThreadsTest, BlocksOutliveTheirThreads) {
  std::vector<Marked> kept;
  std::mutex mutex;
  for (std::uint32_t round = 0; round < 25; ++round) {
    in_threads(kThreads, [&](std::uint32_t thread) {
      Random random(round * kThreads + thread);
      for (int i = 0; i < 50; ++i) {
        const std::size_t bytes = random_size(random);
        const Marked block(allocator().allocate(bytes), bytes, thread);
        const std::scoped_lock locked(mutex);
        kept.push_back(block);
        if (!random.one_in(2)) continue;
        std::swap(kept[random.below(static_cast<std::uint32_t>(kept.size()))], kept.back());
        EXPECT_TRUE(kept.back().is_whole());
        allocator().free(kept.back().address());
        kept.pop_back();
      }
    });
  }
  for (const Marked& block : kept) {
    EXPECT_TRUE(block.is_whole());
    allocator().free(block.address());
  }
  expect_empty();
}

// Objects that one thread made lie side by side; threads that replace theirs get lines of their
// own.
TEST_F(AllocatorThreadsTest, WhoReplacesATinyObjectSharesNoLineWithAnother) {
  for (const std::size_t bytes : {16U, 32U, 48U}) {
    std::array<void*, kThreads> given{};
    std::vector<void*> others(1000);
    for (void*& block : others) block = allocator().allocate(bytes);
    for (void*& block : given) block = allocator().allocate(bytes);
    std::mutex mutex;
    std::map<std::uintptr_t, std::uint32_t> owners;
    std::array<void*, kThreads> got{};
    in_threads(kThreads, [&](std::uint32_t thread) {
      allocator().free(given[thread]);
      got[thread] = allocator().allocate(bytes);
      const std::scoped_lock locked(mutex);
      const auto begin = reinterpret_cast<std::uintptr_t>(got[thread]);
      for (const std::uintptr_t at : {begin, begin + bytes - 1}) {
        EXPECT_EQ(owners.emplace(at / kLineBytes, thread).first->second, thread) << bytes;
      }
    });
    for (void* block : got) allocator().free(block);
    for (void* block : others) allocator().free(block);
  }
  expect_empty();
}

TEST_F(AllocatorThreadsTest, HeapsComeAndGoAndOneIsEverybodys) {
  Heap* const common = allocator().create_heap("common");
  ASSERT_NE(common, nullptr);
  in_threads(kThreads, [&](std::uint32_t thread) {
    Random random(thread);
    std::vector<Marked> in_common;
    for (int i = 0; i < 40; ++i) {
      Heap* const own = allocator().create_heap("own");
      ASSERT_NE(own, nullptr);
      EXPECT_EQ(allocator().find_heap("common"), common);
      std::vector<Marked> in_own;
      for (int k = 0; k < 50; ++k) {
        const std::size_t bytes = random_size(random);
        in_own.emplace_back(allocator().allocate_in(*own, {.bytes = bytes}), bytes, thread);
        in_common.emplace_back(allocator().allocate_in(*common, {.bytes = bytes}), bytes, thread);
      }
      for (const Marked& block : in_own) EXPECT_TRUE(block.is_whole());
      allocator().destroy_heap(*own);
      for (int k = 0; k < 25; ++k) {
        EXPECT_TRUE(in_common.back().is_whole());
        allocator().free(in_common.back().address());
        in_common.pop_back();
      }
    }
  });
  allocator().destroy_heap(*common);
  expect_empty();
}

// A fork takes the locks of the heaps that there are then, and has to release the same.
TEST_F(AllocatorThreadsTest, HeapsComeAndGoWhileOneForks) {
  std::vector<Heap*> heaps(50);
  for (Heap*& heap : heaps) heap = allocator().create_heap("old");
  std::atomic<bool> done{false};
  in_threads(kThreads, [&](std::uint32_t thread) {
    if (thread == 0) {
      for (int i = 0; i < 1000; ++i) {
        allocator().before_fork();
        allocator().after_fork_in_parent();
      }
      done.store(true, std::memory_order_relaxed);
    }
    do {
      Heap* const own = allocator().create_heap("own");
      ASSERT_NE(own, nullptr);
      const Marked block(allocator().allocate_in(*own, {.bytes = 100}), 100, thread);
      EXPECT_TRUE(block.is_whole());
      allocator().destroy_heap(*own);
    } while (!done.load(std::memory_order_relaxed));
  });
  for (Heap* const heap : heaps) allocator().destroy_heap(*heap);
  expect_empty();
}

// A thread that a fork leaves behind must not have been in the middle of giving a block back: the
// child would have it as nobody's, and in use.
TEST_F(AllocatorThreadsTest, AForkFindsLargeBlocksInUseOrFree) {
  const auto are_named = [this] {
    Backing& backing = allocator().backing();
    for (SpanId id = 1; id < backing.spans.end(); ++id) {
      const Span& span = backing.window.span(id);
      const bool is_large = span.kind == SpanKind::kLarge || span.kind == SpanKind::kGrowing;
      if (is_large && backing.window.entry(span.first).code != kCodeLarge) return false;
    }
    return true;
  };
  constexpr std::uint32_t kFrees = 300'000;
  std::atomic<std::uint32_t> freed{0};
  in_threads(kThreads, [&](std::uint32_t thread) {
    const bool forks = thread == 0;
    while (forks && freed.load(std::memory_order_relaxed) < kFrees) {
      allocator().before_fork();
      EXPECT_TRUE(are_named());
      allocator().after_fork_in_parent();
    }
    // Some fit on a shelf.
    for (std::size_t bytes = 40'000; freed.load(std::memory_order_relaxed) < kFrees;
         bytes ^= 2'000'000) {
      void* const block = allocator().allocate(bytes);
      ASSERT_NE(block, nullptr);
      allocator().free(block);
      freed.fetch_add(1, std::memory_order_relaxed);
    }
  });
  expect_empty();
}

TEST_F(AllocatorThreadsTest, AnotherTrimsAndChoosesMeanwhile) {
  meanwhile([this](Random& random) {
    allocator().trim();
    g_options.retained_bytes.store(random.size_up_to(8U << 20), std::memory_order_relaxed);
    g_options.thread_cache_bytes.store(random.size_up_to(1U << 20), std::memory_order_relaxed);
    vm().advance(10'000'000);
  });
  g_options.thread_cache_bytes.store(Options::kByDefault, std::memory_order_relaxed);
  expect_empty();
}

TEST_F(AllocatorThreadsTest, AnotherCountsMeanwhile) {
  if (kOrderIsWatched) GTEST_SKIP() << "what threads cache is read without order";
  meanwhile([this](Random&) {
    Figures figures;
    ASSERT_TRUE(read_figures(allocator(), &figures));
    for (const ClassFigures& each : figures.classes) {
      EXPECT_EQ(each.in_use + each.cached + each.in_depots + each.free, each.blocks);  // G1
    }
  });
  expect_empty();
}

TEST_F(AllocatorThreadsTest, WhatStaysInUseIsCountedWhileThreadsBegin) {
  if (kOrderIsWatched) GTEST_SKIP() << "what threads cache is read without order";
  constexpr std::uint64_t kHeld = 200;
  constexpr std::size_t kMostBytes = 2000, kStep = 48;
  std::vector<void*> held;
  for (std::size_t bytes = kGranule; bytes < kMostBytes; bytes += kStep) {
    for (std::uint64_t i = 0; i < kHeld; ++i) held.push_back(allocator().allocate(bytes));
  }
  std::atomic<bool> done{false};
  in_threads(2, [&](std::uint32_t thread) {
    while (thread == 0 && !done.load(std::memory_order_relaxed)) {
      Figures figures;
      ASSERT_TRUE(read_figures(allocator(), &figures));
      for (std::size_t bytes = kGranule; bytes < kMostBytes; bytes += kStep) {
        EXPECT_GE(figures.classes[class_of(bytes)].in_use, kHeld) << bytes;
      }
    }
    if (thread == 0) return;
    for (int round = 0; round < 300; ++round) {
      in_threads(1, [&](std::uint32_t) {
        std::array<void*, 64> blocks{};
        for (std::size_t bytes = kGranule; bytes < kMostBytes; bytes += kStep) {
          for (void*& block : blocks) block = allocator().allocate(bytes);
          for (void* const block : blocks) allocator().free(block);
        }
      });
    }
    done.store(true, std::memory_order_relaxed);
  });
  for (void* const block : held) allocator().free(block);
  expect_empty();
}

// As a signal handler sees it that interrupted the allocator: locks may be held by its own thread.
TEST_F(AllocatorThreadsTest, WhoInterruptsTheAllocatorReadsNothing) {
  allocator().free(allocator().allocate(100));
  Figures figures;
  HeapFigures heap;
  {
    const Inside inside;
    EXPECT_FALSE(read_figures(allocator(), &figures));
    EXPECT_FALSE(read_heap_figures(allocator(), 0, &heap));
    EXPECT_EQ(walk(allocator(), nullptr, nullptr, nullptr), WalkEnd::kInside);
  }
  EXPECT_TRUE(read_figures(allocator(), &figures));
  EXPECT_TRUE(read_heap_figures(allocator(), 0, &heap));
}

TEST_F(AllocatorThreadsTest, WhoInterruptsTheAllocatorFindsNoHeapAndDestroysNone) {
  Heap* const heap = allocator().create_heap("own");
  ASSERT_NE(heap, nullptr);
  {
    const Inside inside;
    EXPECT_EQ(allocator().find_heap("own"), nullptr);
    EXPECT_TRUE(t_thread.inside);
    allocator().destroy_heap(*heap);
    EXPECT_TRUE(t_thread.inside);
  }
  EXPECT_EQ(allocator().find_heap("own"), heap);
  allocator().destroy_heap(*heap);
  EXPECT_EQ(allocator().find_heap("own"), nullptr);
}

TEST_F(AllocatorThreadsTest, WhoInterruptsTheAllocatorGetsAlignedBlocksOrNone) {
  EXPECT_NE(allocator().allocate(100), nullptr);
  const Inside inside;
  EXPECT_NE(allocator().allocate_aligned(kGranule, 5000), nullptr);
  for (std::size_t alignment = 2 * kPageBytes; alignment > kGranule; alignment /= 2) {
    for (const std::size_t bytes : {24U, 5000U, 40'000U}) {
      void* const p = allocator().allocate_aligned(alignment, bytes);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(p) % alignment, 0U) << alignment << ' ' << bytes;
    }
  }
}

TEST_F(AllocatorThreadsTest, MemoryEndsForAllAtOnce) {
  allocator().free(allocator().allocate(100));
  vm().limit_mapped(vm().mapped_bytes() + (std::size_t{4} << 20));
  std::atomic<std::uint32_t> refused{0};
  in_threads(kThreads, [&](std::uint32_t thread) {
    Random random(thread);
    std::vector<Marked> blocks;
    for (int i = 0; i < 20'000 && blocks.size() < 5000; ++i) {
      const std::size_t bytes = random_size(random);
      void* const p = allocator().allocate(bytes);
      if (p == nullptr) {
        refused.fetch_add(1, std::memory_order_relaxed);
        continue;
      }
      blocks.emplace_back(p, bytes, thread);
    }
    for (const Marked& block : blocks) {
      EXPECT_TRUE(block.is_whole());
      allocator().free(block.address());
    }
  });
  EXPECT_GT(refused.load(), 0U);
  vm().limit_mapped(SIZE_MAX);
  void* const p = allocator().allocate(10U << 20);
  EXPECT_NE(p, nullptr);
  allocator().free(p);
  expect_empty();
}

// What is live all the time is shown as live, once, in each walk, whatever others do.
TEST_F(AllocatorThreadsTest, AWalkMeanwhileShowsWhatStays) {
  if (kOrderIsWatched) GTEST_SKIP() << "what is walked is read without order";
  std::map<const void*, std::size_t> staying;
  for (std::size_t bytes = 1; bytes < 100'000; bytes += bytes / 8 + 1) {
    void* const p = allocator().allocate(bytes);
    staying.emplace(p, allocator().usable_size(p));
  }
  meanwhile([&](Random&) {
    std::map<const void*, std::size_t> missing = staying;
    const auto visit = [](const WalkedBlock& block, void* context) {
      auto& left = *static_cast<std::map<const void*, std::size_t>*>(context);
      const auto at = left.find(block.address);
      if (at == left.end()) return true;
      EXPECT_EQ(block.state, BlockState::kLive);
      EXPECT_EQ(block.usable_bytes, at->second);
      left.erase(at);
      return true;
    };
    EXPECT_EQ(walk(allocator(), nullptr, visit, &missing), WalkEnd::kDone);
    EXPECT_TRUE(missing.empty());
  });
  for (const auto& [p, usable] : staying) allocator().free(const_cast<void*>(p));
  expect_empty();
}

}  // namespace
}  // namespace mini::alloc
