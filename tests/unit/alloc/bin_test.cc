// Slabs of one size class: which blocks are taken first, where they go back to, and what is noticed
// when a program frees what it must not.
#include "alloc/bin.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <thread>
#include <vector>

#include "alloc/check.h"
#include "alloc_test.h"
#include "support/random.h"

namespace mini::alloc {
namespace {

using test::VmCall;
using Blocks = std::vector<void*>;

class BinTest : public BackingTest {
 protected:
  explicit BinTest(std::size_t bytes = 64) : size_class_(class_of(bytes)) {}

  Bin::Place place(bool shared = false) {
    return {.backing = backing(), .heap = 0, .size_class = size_class_, .shared = shared};
  }
  std::uint32_t block_bytes() const { return kSizeClasses[size_class_].block_bytes; }
  Blocks take(std::uint32_t count, bool shared = false) {
    Blocks blocks(count);
    blocks.resize(bin_.take(blocks.data(), count, place(shared)));
    check();
    return blocks;
  }
  void put(const Blocks& blocks, bool shared = false) {
    bin_.put(blocks.data(), static_cast<std::uint32_t>(blocks.size()), place(shared));
    check();
  }
  // As many as a slab has, all of one.
  Blocks take_slab() {
    Blocks blocks = take(1);
    const Span& slab = slab_of(blocks[0]);
    const Blocks rest = take(slab.free_count);
    blocks.insert(blocks.end(), rest.begin(), rest.end());
    return blocks;
  }
  Span& slab_of(const void* block) {
    const std::size_t offset = window().offset(block);
    return backing().span_at(offset, window().entry(offset));
  }
  void check() {
    const Locked locked(bin_.lock());
    Checker::bin(bin_, backing());
  }

  Bin bin_;
  ClassIndex size_class_;
};

TEST_F(BinTest, BlocksAreApartAlignedAndOfTheClass) {
  const Blocks blocks = take(1000);
  ASSERT_EQ(blocks.size(), 1000U);
  std::set<std::uintptr_t> sorted;
  for (void* block : blocks) {
    std::memset(block, 0xff, block_bytes());
    sorted.insert(reinterpret_cast<std::uintptr_t>(block));
    EXPECT_EQ(window().entry(window().offset(block)).code, size_class_);
  }
  ASSERT_EQ(sorted.size(), 1000U);
  std::uintptr_t previous = 0;
  for (const std::uintptr_t address : sorted) {
    EXPECT_EQ(address % 16, 0U);
    EXPECT_GE(address - previous, block_bytes());
    previous = address;
  }
}

// Blocks of 16, 32 and 48 bytes: a cache line holds several.
class SharedLinesTest : public BinTest, public testing::WithParamInterface<std::size_t> {
 protected:
  SharedLinesTest() : BinTest(GetParam()) {}

  Blocks take_whole_lines(std::uint32_t count) {
    Blocks blocks(count);
    blocks.resize(bin_.take_whole_lines(blocks.data(), count, place(true)));
    check();
    return blocks;
  }
  // The lines that blocks lie in.
  std::set<std::uintptr_t> lines_of(const Blocks& blocks) {
    std::set<std::uintptr_t> lines;
    for (const void* block : blocks) {
      const auto begin = reinterpret_cast<std::uintptr_t>(block);
      lines.insert(begin / kLineBytes);
      lines.insert((begin + block_bytes() - 1) / kLineBytes);
    }
    return lines;
  }
  void expect_no_line_in_common(const Blocks& a, const Blocks& b) {
    const std::set<std::uintptr_t> lines_of_b = lines_of(b);
    for (const std::uintptr_t line : lines_of(a)) EXPECT_FALSE(lines_of_b.contains(line));
  }
};
INSTANTIATE_TEST_SUITE_P(Bytes, SharedLinesTest, testing::Values(16, 32, 48));

TEST_P(SharedLinesTest, WholeLinesArePreferredToHoles) {
  Blocks in_use = take_slab();
  Blocks holes;
  for (std::size_t i = 0; i < 32; i += 4) holes.push_back(in_use[i]);
  const Blocks group(in_use.begin() + 40, in_use.begin() + 44);
  std::erase_if(in_use, [&](void* block) {
    return std::ranges::count(holes, block) != 0 || std::ranges::count(group, block) != 0;
  });
  put(holes);
  put(group);
  EXPECT_EQ(take_whole_lines(8), group);
  // There is no other in this slab.
  const Blocks more = take_whole_lines(8);
  EXPECT_EQ(more.size(), 8U);
  expect_no_line_in_common(more, in_use);
  expect_no_line_in_common(more, group);
}

TEST_P(SharedLinesTest, HolesAreBetterThanNoMemory) {
  const Blocks in_use = take_slab();
  vm().limit_mapped(vm().mapped_bytes());
  PageHeap::Grant grant;
  while (backing().pages.take({.count = pages(1)}, &grant)) {
  }
  put({in_use[4], in_use[8]});
  EXPECT_EQ(take_whole_lines(8), (Blocks{in_use[4], in_use[8]}));
  EXPECT_TRUE(take_whole_lines(8).empty());
}

TEST_F(BinTest, BlocksOfASlabComeInAscendingOrder) {
  const Blocks blocks = take(20);
  EXPECT_TRUE(std::ranges::is_sorted(blocks));
}

TEST_F(BinTest, TheFullestSlabWithRoomIsUsedFirst) {
  const Blocks a = take_slab();
  const Blocks b = take_slab();
  ASSERT_NE(&slab_of(a[0]), &slab_of(b[0]));
  put({a.begin(), a.end() - 1});  // one in use
  put({b.begin(), b.begin() + 1});
  EXPECT_EQ(take(1)[0], b[0]);
  EXPECT_EQ(&slab_of(take(1)[0]), &slab_of(a.back()));
}

TEST_F(BinTest, ASlabThatIsFreeAltogetherBecomesFreePages) {
  const Blocks blocks = take_slab();
  const PageCount used = backing().pages.in_use();
  const Span& slab = slab_of(blocks[0]);
  const PageCount slab_pages = slab.pages;
  put(blocks);
  EXPECT_EQ(backing().pages.in_use(), used - slab_pages);
  EXPECT_EQ(slab.kind, SpanKind::kFree);
  EXPECT_EQ(window().entry(window().offset(blocks[0])).code, kCodeNone);
  EXPECT_EQ(bin_.figures().slabs, 0U);
}

TEST_F(BinTest, FiguresAddUp) {
  Blocks blocks = take(300);
  put(Blocks{blocks[3], blocks[200], blocks[4]});
  const Bin::Figures figures = bin_.figures();
  EXPECT_EQ(figures.blocks_out, 297U);
  EXPECT_GE(figures.blocks, 300U);
  EXPECT_EQ(figures.pages, backing().pages.in_use());
}

TEST_F(BinTest, AClassInDemandGetsLargerSlabs) {
  const PageCount first = slab_of(take(1)[0]).pages;
  Blocks many;
  for (int i = 0; i < 100; ++i) {
    const Blocks more = take_slab();
    many.insert(many.end(), more.begin(), more.end());
  }
  EXPECT_GE(slab_of(many.back()).pages, first);
  EXPECT_EQ(first, pages(kSizeClasses[size_class_].least_pages));
  EXPECT_EQ(slab_of(many.back()).pages, pages(kSizeClasses[size_class_].most_pages));
}

TEST_F(BinTest, WithoutMemoryThereAreNoBlocksAndLaterThereAre) {
  vm().limit_mapped(vm().mapped_bytes());
  Blocks all;
  for (;;) {
    const Blocks more = take(100);
    all.insert(all.end(), more.begin(), more.end());
    if (more.size() < 100) break;
  }
  EXPECT_TRUE(take(1).empty());
  EXPECT_EQ(bin_.figures().blocks_out, all.size());
  vm().limit_mapped(SIZE_MAX);
  EXPECT_EQ(take(100).size(), 100U);
  put(all);
}

TEST_F(BinTest, TheDepotHandsBlocksOnAsTheyCame) {
  const Blocks blocks = take(10);
  put(blocks, true);
  EXPECT_EQ(bin_.figures().blocks_in_depot, 10U);
  EXPECT_EQ(bin_.figures().blocks_out, 10U);
  Blocks again = take(10, true);
  std::ranges::sort(again);
  EXPECT_EQ(again, blocks);
  EXPECT_EQ(bin_.figures().blocks_in_depot, 0U);
}

TEST_F(BinTest, WhatDoesNotFitTheDepotGoesToTheSlabs) {
  const std::uint32_t capacity = kSizeClasses[size_class_].cached_most;
  const Blocks blocks = take(capacity);
  const Blocks more = take(10);
  put(blocks, true);
  put(more, true);
  EXPECT_EQ(bin_.figures().blocks_in_depot, capacity);
  EXPECT_EQ(bin_.figures().blocks_out, capacity);
}

TEST_F(BinTest, WithoutMemoryForADepotBlocksGoToTheSlabs) {
  const Blocks blocks = take(10);
  vm().limit_mapped(vm().mapped_bytes());
  while (backing().records.take(4096) != nullptr) {
  }
  while (backing().records.take(64) != nullptr) {
  }
  put(blocks, true);
  EXPECT_EQ(bin_.figures().blocks_in_depot, 0U);
  EXPECT_EQ(bin_.figures().slabs, 0U);
}

TEST_F(BinTest, AnEmptiedDepotLetsSlabsGo) {
  put(take(100), true);
  EXPECT_GT(bin_.figures().slabs, 0U);
  bin_.drain_depot(place());
  check();
  EXPECT_EQ(bin_.figures().slabs, 0U);
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

TEST_F(BinTest, KnowsWhichBlocksAreFree) {
  const Blocks blocks = take(10);
  const auto holds = [&](void* block) { return bin_.holds(block, slab_of(block), backing()); };
  EXPECT_FALSE(holds(blocks[0]));
  put({blocks.begin(), blocks.begin() + 1});
  EXPECT_TRUE(holds(blocks[0]));
  put({blocks.begin() + 1, blocks.begin() + 2}, true);
  EXPECT_TRUE(holds(blocks[1]));
  EXPECT_FALSE(holds(blocks[2]));
}

TEST_F(BinTest, AllIsFreedAtOnceWhateverIsInUse) {
  take(1000);
  put(take(20), true);
  const Blocks blocks = take(100);
  put({blocks.begin(), blocks.begin() + 10});
  bin_.release_all(place());
  check();
  EXPECT_EQ(backing().pages.in_use(), pages(0));
  EXPECT_EQ(bin_.figures().slabs, 0U);
  EXPECT_EQ(bin_.figures().blocks_out, 0U);
  EXPECT_EQ(take(10).size(), 10U);
}

TEST_F(BinTest, RandomOrdersKeepTheLists) {
  test::Random random(3);
  Blocks blocks;
  for (int step = 0; step < 3000; ++step) {
    if (random.one_in(2) && blocks.size() < 2000) {
      const Blocks more = take(random.between(1, 40), random.one_in(2));
      blocks.insert(blocks.end(), more.begin(), more.end());
    } else if (!blocks.empty()) {
      const std::uint32_t count =
          std::min<std::uint32_t>(random.between(1, 40), static_cast<std::uint32_t>(blocks.size()));
      for (std::uint32_t i = 0; i < count; ++i) {
        std::swap(blocks[random.below(static_cast<std::uint32_t>(blocks.size() - i))],
                  blocks[blocks.size() - 1 - i]);
      }
      put({blocks.end() - count, blocks.end()}, random.one_in(2));
      blocks.resize(blocks.size() - count);
    }
  }
  put(blocks);
  bin_.drain_depot(place());
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

TEST_F(BinTest, ThreadsGetDifferentBlocksAndHandThemOn) {
  std::vector<std::thread> threads;
  for (std::uint32_t i = 1; i <= 4; ++i) {
    threads.emplace_back([this, i] {
      test::Random random(i);
      for (int round = 0; round < 300; ++round) {
        Blocks blocks(random.between(1, 64));
        const auto count = static_cast<std::uint32_t>(blocks.size());
        blocks.resize(bin_.take(blocks.data(), count, place(true)));
        for (void* block : blocks) std::memset(block, static_cast<int>(i), block_bytes());
        for (void* block : blocks) {
          ASSERT_EQ(*static_cast<std::byte*>(block), static_cast<std::byte>(i));
        }
        bin_.put(blocks.data(), static_cast<std::uint32_t>(blocks.size()), place(true));
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  bin_.drain_depot(place());
  check();
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

class LargeBinTest : public BinTest {
 protected:
  LargeBinTest() : BinTest(3584) {}  // several blocks in a slab, hardly less than a page each
};

TEST_F(LargeBinTest, FreePagesWithinASlabGiveTheirMemoryBackAndLiveBlocksStay) {
  const Blocks blocks = take_slab();
  ASSERT_GE(blocks.size(), 1U);
  const Blocks more = take_slab();
  ASSERT_GE(more.size(), 4U);
  for (void* block : more) std::memset(block, 7, block_bytes());
  put({more.begin() + 1, more.end() - 1});
  const std::size_t free_end = (more.size() - 1) * block_bytes();
  const PageCount whole{static_cast<std::uint32_t>(free_end / kPageBytes)};
  EXPECT_EQ(bin_.release_free_pages(place()), whole - pages_for(block_bytes()));
  check();
  for (void* block : {more.front(), more.back()}) {
    EXPECT_EQ(std::memcmp(block, static_cast<std::byte*>(block) + 1, block_bytes() - 1), 0);
    EXPECT_EQ(*static_cast<std::byte*>(block), std::byte{7});
  }
  const std::byte* const first_whole = static_cast<std::byte*>(more.front()) + kPageBytes;
  EXPECT_EQ(test::FakeVm::resident_pages(first_whole, kPageBytes), 0U);
}

class OddBinTest : public BinTest {
 protected:
  OddBinTest() : BinTest(3000) {}
};

TEST_F(OddBinTest, APageIsGivenBackOnlyIfAllBlocksInItAreFree) {
  const Blocks blocks = take_slab();
  ASSERT_GE(slab_of(blocks.back()).pages.count, 3U);
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    std::memset(blocks[i], static_cast<int>(i + 1), block_bytes());
  }
  Blocks odd;
  for (std::size_t i = 1; i < blocks.size(); i += 2) odd.push_back(blocks[i]);
  put(odd);
  bin_.release_free_pages(place());
  for (std::size_t i = 0; i < blocks.size(); i += 2) {
    const auto* const bytes = static_cast<std::byte*>(blocks[i]);
    for (std::size_t k = 0; k < block_bytes(); ++k) {
      ASSERT_EQ(bytes[k], static_cast<std::byte>(i + 1));
    }
  }
}

TEST_F(OddBinTest, AFreedSlabIsReusedAfterItsPagesWereGivenBack) {
  const Blocks blocks = take(20);
  put({blocks.begin() + 1, blocks.end()});
  bin_.release_free_pages(place());
  const Blocks again = take(50);
  for (void* block : again) std::memset(block, 1, block_bytes());
  put(again);
  put({blocks.begin(), blocks.begin() + 1});
  EXPECT_EQ(backing().pages.in_use(), pages(0));
}

using BinDeathTest = BinTest;

TEST_F(BinDeathTest, ABlockThatIsInItsSlabAlreadyIsADoubleFree) {
  const Blocks blocks = take(10);
  put({blocks.begin(), blocks.begin() + 1});
  EXPECT_DEATH(put({blocks.begin(), blocks.begin() + 1}), "double free of 0x");
}

TEST_F(BinDeathTest, TheSameBlockTwiceInOneReturnIsADoubleFree) {
  const Blocks blocks = take(10);
  EXPECT_DEATH(put({blocks[0], blocks[1], blocks[0]}), "double free of 0x");
}

TEST_F(BinDeathTest, ABlockWhoseSlabIsGoneIsNoticedToo) {
  const Blocks blocks = take(10);
  put(blocks);
  EXPECT_DEATH(put({blocks[0]}), "minimalloc: (double|invalid) free of 0x");
  EXPECT_DEATH(put({blocks[7]}), "minimalloc: (double|invalid) free of 0x");
}

TEST_F(BinDeathTest, ABlockWhoseSlabIsAnotherClassesNowIsNoticed) {
  const Blocks blocks = take(10);
  const Span* const slab = &slab_of(blocks[0]);
  const PageIndex first = slab->first;
  put(blocks);
  Bin other;
  const Bin::Place elsewhere{.backing = backing(), .heap = 0, .size_class = class_of(1024)};
  void* block = nullptr;
  ASSERT_EQ(other.take(&block, 1, elsewhere), 1U);
  ASSERT_EQ(slab_of(block).first, first);
  EXPECT_DEATH(put({blocks[0]}), "minimalloc: (double|invalid) free of 0x");
}

TEST_F(BinDeathTest, ABlockFreedTwiceIntoTheDepotIsNoticedWhenItComesToItsSlab) {
  const Blocks blocks = take(10);
  put({blocks[0]}, true);
  put({blocks[0]}, true);
  EXPECT_DEATH(bin_.drain_depot(place()), "double free of 0x");
}

TEST_F(BinDeathTest, WhatIsBehindTheLastBlockOfASlabIsNone) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const SizeClass& c = kSizeClasses[i];
    const std::uint32_t blocks = detail::blocks_in(c.least_pages, c.block_bytes);
    if (std::size_t{blocks} * c.block_bytes == c.least_pages * kPageBytes) continue;
    Bin bin;
    const Bin::Place place{
        .backing = backing(), .heap = 0, .size_class = static_cast<ClassIndex>(i)};
    void* block = nullptr;
    ASSERT_EQ(bin.take(&block, 1, place), 1U);
    void* behind = static_cast<std::byte*>(block) + std::size_t{blocks} * c.block_bytes;
    EXPECT_DEATH(bin.put(&behind, 1, place), "minimalloc: invalid free of 0x");
    return;
  }
}

}  // namespace
}  // namespace mini::alloc
