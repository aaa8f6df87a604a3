// The decoder on heaps that are damaged: it names the field, and reads on.
#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gmock/gmock.h>
#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "glibc_heap_fixture.h"
#include "heaps/glibc_layout.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {
namespace {

using model::PieceUse;
using Told = FrozenChild::Told;

using GlibcDamageTest = GlibcHeapTest;

void overwrite(void* p, std::ptrdiff_t words, std::uint64_t value) {
  // Through a volatile pointer: the compiler must not know that this is outside the block.
  static_cast<volatile std::uint64_t*>(p)[words] = value;
}

MATCHER_P2(DamageAt, where, field, "") {  // NOLINT(readability-identifier-naming)
  return arg.where == where && arg.field.find(field) != std::string::npos;
}

TEST_F(GlibcDamageTest, APieceThatIsNotFoundIsNoDamage) {
  decode([](Told& t) {
    take_without_the_break(t);
    overwrite(reinterpret_cast<void*>(t.words[0]), -1, 0x41);  // no chunk follows there
  });
  EXPECT_GT(heap_.arenas[0].not_found, Bytes{});
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcDamageTest, ADamagedFirstPieceIsStillWalked) {
  decode([](Told& t) {
    void* first = take(5000);
    t.words[4] = number(first);
    take(5000);
    take_without_the_break(t);
    overwrite(first, -1, 0x4141414141414140);
  });
  EXPECT_NE(damages_, "");
  EXPECT_EQ(use_at(0), PieceUse::kLive);
}

TEST_F(GlibcDamageTest, AnOverwrittenSizeIsNamedAndTheWalkGoesOn) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* first = take(1000);
      void* second = take(1000);
      void* third = take(1000);
      for (int i = 0; i < 20; ++i) take(1000);
      overwrite(second, -1, 0x4141414141414141);
      t.words[0] = number(first);
      t.words[1] = number(second);
      t.words[2] = number(third);
    });
  });
  EXPECT_THAT(heap_.damages, testing::Contains(DamageAt(told(1) - Bytes{8}, "size of the chunk")));
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(2), PieceUse::kLive);
  EXPECT_TRUE(sink_.covers_regions());
}

// The field that was overwritten stands first, not what follows from it.
TEST_F(GlibcDamageTest, AnOverwrittenSizeBehindAFreeChunk) {
  for (const std::uint64_t size : {0x4141414141414141UL, 0x10021UL}) {
    decode([size](Told& t) {
      in_a_fresh_arena(t, [size, &t] {
        void* first = take(2064);
        void* second = take(24);
        for (int i = 0; i < 100; ++i) std::memset(take(1000), 0x5a, 1000);
        give(first);
        overwrite(second, -1, size);
        t.words[0] = number(second) - 8;
      });
    });
    ASSERT_FALSE(heap_.damages.empty());
    EXPECT_EQ(heap_.damages.front().where, told(0)) << damages_;
    EXPECT_EQ(std::ranges::count(heap_.damages, told(0), &model::HeapDamage::where), 1);
  }
}

TEST_F(GlibcDamageTest, ABlockThatWasFreedTwice) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* block = take(40);
      give(block);
      overwrite(block, 1, 0);  // else free finds out
      give(block);
      t.words[0] = number(block) - 16;
    });
  });
  ASSERT_FALSE(heap_.damages.empty());
  EXPECT_EQ(heap_.damages.front().kind, model::DamageKind::kTwice);
  EXPECT_EQ(heap_.damages.front().where, told(0));
}

TEST_F(GlibcDamageTest, ATopWithoutItsFlagMakesNoChunkFree) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      auto* last = static_cast<std::uint64_t*>(take(24));
      overwrite(last, 3, last[3] & ~1UL);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
}

TEST_F(GlibcDamageTest, AWildLinkOfACache) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* a = take(700);
      void* b = take(700);
      give(a);
      give(b);
      overwrite(b, 0, 0x4242424242424242);
      t.words[0] = number(b);
    });
  });
  EXPECT_THAT(heap_.damages, testing::Contains(DamageAt(told(0), "link of a thread cache")));
}

// What "malloc(): unaligned tcache chunk detected" leaves, and the block that it took last.
void write_into_a_cached_block(Told& t) {
  void* other = take(400);
  void* a = take(700);
  void* b = take(700);
  give(other);
  give(a);
  give(b);
  overwrite(b, 0, 0x4242424242424242);
  t.words[0] = number(take(700));
  t.words[1] = number(other);
}

TEST_F(GlibcDamageTest, AWildHeadOfTheMainThreadsCache) {
  decode(write_into_a_cached_block);
  ASSERT_EQ(heap_.caches.size(), 1U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(1), PieceUse::kCached);
  EXPECT_THAT(heap_.damages, testing::ElementsAre(testing::Field(
                                 &model::HeapDamage::field, "link of a thread cache, bin 43")));
}

TEST_F(GlibcDamageTest, AWildHeadOfAThreadsCache) {
  decode([](Told& t) {
    give(take(100));
    in_a_fresh_arena(t, [&t] { write_into_a_cached_block(t); });
  });
  ASSERT_EQ(heap_.caches.size(), 2U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(1), PieceUse::kCached);
  EXPECT_THAT(heap_.damages, testing::ElementsAre(testing::Field(
                                 &model::HeapDamage::field, "link of a thread cache, bin 43")));
}

/// The heads of the lists of the cache of this thread, which has `block` in bin `bin`.
std::uint64_t* heads_of_cache(const void* block, std::size_t bin) {
  auto* word = reinterpret_cast<std::uint64_t*>(number(block) & ~(model::kArenaHeap.count - 1));
  while (*word != number(block)) ++word;
  return word - bin;
}

TEST_F(GlibcDamageTest, ACounterOfACacheThatIsTooLarge) {
  if (cache_layout(glibc_layouts().back(), gnu_get_libc_version()).counts_down) GTEST_SKIP();
  decode([](Told& t) {
    give(take(100));
    in_a_fresh_arena(t, [&t] {
      void* a = take(24);
      give(a);
      std::uint64_t* heads = heads_of_cache(a, 0);
      overwrite(heads - 16, 0, 0xffff);
      t.words[0] = number(heads - 16);
      t.words[1] = number(a);
    });
  });
  EXPECT_THAT(heap_.damages,
              testing::ElementsAre(DamageAt(told(0), "counter of a thread cache, bin 0")));
  EXPECT_EQ(use_at(1), PieceUse::kCached);
}

// A thread that has not allocated yet, and what lies in its storage is none of malloc's.
TEST_F(GlibcDamageTest, ABlockOfACachesSizeIsNoDamagedCache) {
  decode([](Told& t) {
    void* mine = take(0x280);
    std::memset(mine, 0, 0x280);
    overwrite(mine, 3, 0x10005);
    auto* storage = static_cast<std::uint64_t*>(
        mmap(nullptr, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    storage[100] = number(mine);
    t.words[60] = number(storage + 200);
    t.words[0] = number(mine);
  });
  EXPECT_EQ(heap_.caches.size(), 1U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(damages_, "");
}

// As a core may have them that was made to harm.
TEST_F(GlibcDamageTest, ManyThreadsThatLeadNowhere) {
  constexpr std::size_t kZeros = std::size_t{1} << 20U;
  decode([](Told& t) {
    void* zeros = mmap(nullptr, kZeros, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    t.words[0] = number(zeros);
  });
  const std::size_t caches = heap_.caches.size();
  const std::vector<HeapThread> own = target_.threads;
  const auto read_with = [&](std::uint64_t count, std::uint64_t step) {
    target_.threads = own;
    for (std::uint64_t i = 0; i < count; ++i) {
      const Address pointer = told(0) + Bytes{kZeros - 8 - step * i};
      target_.threads.push_back({.id = 1, .thread_pointer = pointer});
    }
    RecordingSink sink;
    return read_glibc_heap(*child_, target_, sink);
  };
  EXPECT_EQ(read_with(50'000, 0).caches_not_found, 0U);
  const model::Heap heap = read_with(50'000, 8);
  EXPECT_GT(heap.caches_not_found, 30'000U);
  EXPECT_LT(heap.caches_not_found, 50'000U);
  EXPECT_EQ(heap.caches.size(), caches);
}

TEST_F(GlibcDamageTest, ALoopInABin) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* blocks[3];
      for (void*& block : blocks) {
        block = take(5000);
        take(24);
      }
      for (void* block : blocks) give(block);
      overwrite(blocks[0], 0, number(blocks[2]) - 16);
      t.words[0] = number(blocks[2]);
    });
  });
  EXPECT_THAT(heap_.damages,
              testing::Contains(DamageAt(told(0) + Bytes{8}, "back link of a free chunk")));
}

TEST_F(GlibcDamageTest, ALoopInAFastBin) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* blocks[12];
      for (void*& block : blocks) block = take(72);
      for (void* block : blocks) give(block);
      // The last one of the fast bin links to itself.
      const std::uint64_t chunk = number(blocks[8]) - 16;
      overwrite(blocks[8], 0, chunk ^ (number(blocks[8]) >> 12));
      t.words[0] = number(blocks[8]);
    });
  });
  EXPECT_THAT(heap_.damages, testing::Contains(DamageAt(told(0), "link of a fast bin")));
}

TEST_F(GlibcDamageTest, AChunkInAFastBinAndInACache) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* blocks[12];
      for (void*& block : blocks) block = take(72);
      for (void* block : blocks) give(block);
      // The last one of the fast bin links to one that is in the cache.
      const std::uint64_t chunk = number(blocks[3]) - 16;
      overwrite(blocks[7], 0, chunk ^ (number(blocks[7]) >> 12));
      t.words[0] = number(blocks[3]);
    });
  });
  EXPECT_THAT(heap_.damages,
              testing::Contains(DamageAt(told(0) - Bytes{16}, "chunk in two lists")));
  EXPECT_TRUE(sink_.covers_regions());
}

TEST_F(GlibcDamageTest, ATopThatIsTooLarge) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* last = take(24);
      overwrite(last, 3, ~0ULL);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::Contains(DamageAt(told(0), "size of the top chunk")));
}

// glibc dies of each by an assertion of "sysmalloc".
TEST_F(GlibcDamageTest, ATopThatDoesNotEndWithAPage) {
  for (const std::uint64_t size : {0x41UL, 0x1001UL, 1UL}) {
    decode([size](Told& t) {
      auto* last = static_cast<std::uint64_t*>(take(24));
      const auto is_last = [&] { return number(last) + 16 + (last[3] & ~7UL) == number(sbrk(0)); };
      while (!is_last()) last = static_cast<std::uint64_t*>(take(24));
      overwrite(last, 3, size);
      t.words[0] = number(last) + 24;
    });
    EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
  }
}

TEST_F(GlibcDamageTest, ATopOfAThreadsArenaThatEndsBeforeItsRegion) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      auto* last = static_cast<std::uint64_t*>(take(24));
      overwrite(last, 3, last[3] - 0x2000);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
}

TEST_F(GlibcDamageTest, ARegionWhoseSizeIsNotTheTops) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      const std::uint64_t region = number(take(24)) & ~(model::kArenaHeap.count - 1);
      auto* header = reinterpret_cast<std::uint64_t*>(region);
      overwrite(header, 2, header[2] + 0x100000);
      t.words[0] = region + 16;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of an arena's region")));
  EXPECT_TRUE(sink_.covers_regions());
}

/// Frees blocks of three sizes, of two each, and has them sorted into one large bin, in whose order
/// they are returned.
std::array<void*, 6> fill_a_large_bin() {
  std::array<void*, 6> blocks{};
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    blocks.at(i) = take(2064 - 16 * (i / 2));
    take(24);
  }
  for (void* block : blocks) give(block);
  take(60000);
  return blocks;
}

TEST_F(GlibcDamageTest, LinksToOtherSizesThatAreOverwritten) {
  for (const std::ptrdiff_t word : {2, 3}) {
    for (const std::size_t i : {0U, 2U, 4U}) {
      decode([=](Told& t) {
        in_a_fresh_arena(t, [=, &t] {
          std::array<void*, 6> blocks = fill_a_large_bin();
          overwrite(blocks.at(i), word, 0x4242424242424240);
          t.words[0] = number(blocks.at(i)) + static_cast<std::uint64_t>(word) * 8;
        });
      });
      EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "to another size")));
    }
  }
}

TEST_F(GlibcDamageTest, ALinkToAnotherSizeOfASecondOne) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      std::array<void*, 6> blocks = fill_a_large_bin();
      overwrite(blocks[3], 2, 0x4242424242424240);
      t.words[0] = number(blocks[3]) + 16;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "to another size")));
}

TEST_F(GlibcDamageTest, LinksToOtherSizesOfABusyHeap) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [] {
      static std::array<void*, 500> blocks;
      std::uint64_t random = 1;
      for (int i = 0; i < 50000; ++i) {
        random = random * 6364136223846793005 + 1442695040888963407;
        void*& block = blocks.at((random >> 33) % blocks.size());
        give(block);
        block = take(1000 + 64 * ((random >> 20) % 64));
      }
    });
  });
  EXPECT_GT(sink_.count(PieceUse::kLargebin), 5);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcDamageTest, AChunkThatClaimsToBeOfAnotherKindOfArena) {
  decode([](Told& t) {
    auto* main = static_cast<std::uint64_t*>(take(500));
    overwrite(main, -1, main[-1] | 4);
    t.words[0] = number(main) - 8;
    in_a_fresh_arena(t, [&t] {
      auto* other = static_cast<std::uint64_t*>(take(500));
      overwrite(other, -1, other[-1] & ~4UL);
      t.words[1] = number(other) - 8;
    });
  });
  EXPECT_THAT(heap_.damages, testing::UnorderedElementsAre(DamageAt(told(0), "flag 4"),
                                                           DamageAt(told(1), "flag 4")));
}

TEST_F(GlibcDamageTest, ATopThatIsNotWrittenYetHidesNothing) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* last = take(24);
      overwrite(last, 3, 0);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
  EXPECT_TRUE(heap_.damages.front().is_unwritten);
  EXPECT_EQ(heap_.arenas.back().top_size.count % 4096, (0 - told(0).value + 8) % 4096);
  EXPECT_TRUE(sink_.covers_regions());
}

}  // namespace
}  // namespace mini::heaps
