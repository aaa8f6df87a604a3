// The decoder on real heaps: what it says of each block is compared with what the children did.
// Malloc's own statistics are the second witness.
#include "heaps/glibc_heap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <gtest/gtest.h>
#include <malloc.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "glibc_heap_fixture.h"
#include "heaps/glibc_chunk.h"

namespace mini::heaps {
namespace {

using model::PieceUse;
using Told = FrozenChild::Told;

TEST_F(GlibcHeapTest, LiveAndCachedBlocks) {
  decode([](Told& t) {
    void* blocks[8];
    for (void*& block : blocks) block = take(500);
    for (std::size_t i = 0; i < 8; ++i) t.words[i] = number(blocks[i]);
    give(blocks[2]);
    give(blocks[5]);
  });
  for (const std::size_t live : {0U, 1U, 3U, 4U, 6U, 7U})
    EXPECT_EQ(use_at(live), PieceUse::kLive) << live;
  EXPECT_EQ(use_at(2), PieceUse::kCached);
  EXPECT_EQ(use_at(5), PieceUse::kCached);
  EXPECT_EQ(sink_.at(told(0)).range.size(), Bytes{512});
  EXPECT_EQ(damages_, "");
  ASSERT_EQ(heap_.caches.size(), 1U);
  EXPECT_EQ(heap_.caches[0].thread_id, child_->pid());
}

TEST_F(GlibcHeapTest, EveryKindOfBin) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      void* small[12];
      void* medium[12];
      void* large[2];
      void* fence[2];
      for (void*& block : small) block = take(40);
      for (void*& block : medium) block = take(600);
      take(24);
      for (std::size_t i = 0; i < 2; ++i) {
        large[i] = take(3000);
        fence[i] = take(24);
      }
      // Seven each go into the cache; the eighth of a small one into a fast bin, of others to the
      // unsorted bin, from where the next request that none of them fits sorts them.
      for (std::size_t i = 0; i < 8; ++i) give(small[i]);
      for (std::size_t i = 0; i < 8; ++i) give(medium[i]);
      give(large[0]);
      t.words[4] = number(take(100000));
      give(large[1]);
      t.words[0] = number(small[7]);
      t.words[1] = number(medium[7]);
      t.words[2] = number(large[0]);
      t.words[3] = number(large[1]);
      t.words[5] = number(fence[0]);
      t.words[6] = number(medium[0]);
    });
  });
  EXPECT_EQ(use_at(1), PieceUse::kSmallbin);
  EXPECT_EQ(use_at(2), PieceUse::kLargebin);
  EXPECT_EQ(use_at(3), PieceUse::kUnsorted);
  EXPECT_EQ(use_at(4), PieceUse::kLive);
  EXPECT_EQ(use_at(5), PieceUse::kLive);
  EXPECT_EQ(use_at(6), PieceUse::kCached);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, AgreesWithMallocsOwnStatistics) {
  decode([](Told& t) {
    // Not freed: that would change the figures again.
    auto& blocks = *new std::vector<void*>;
    for (int i = 0; i < 20000; ++i) blocks.push_back(take_numbered(16 + (i * 7919) % 3000));
    for (std::size_t i = 0; i < blocks.size(); i += 3) give(blocks[i]);
    for (int i = 0; i < 5; ++i) take_numbered(300000 + i * 5000);
    const struct mallinfo2 info = mallinfo2();
    t.words[0] = info.arena;
    t.words[1] = info.ordblks;
    t.words[2] = info.smblks;
    t.words[3] = info.hblks;
    t.words[4] = info.hblkhd;
    t.words[5] = info.fsmblks;
    t.words[6] = info.uordblks;
    t.words[7] = info.fordblks;
    t.words[8] = info.keepcost;
  });
  const auto info = [this](std::size_t i) { return told(i).value; };
  EXPECT_EQ(damages_, "");
  EXPECT_EQ(heap_.arenas[0].system.count, info(0));
  EXPECT_EQ(sink_.count(PieceUse::kUnsorted) + sink_.count(PieceUse::kSmallbin) +
                sink_.count(PieceUse::kLargebin) + 1,
            info(1));
  EXPECT_EQ(sink_.count(PieceUse::kFastbin), info(2));
  EXPECT_EQ(heap_.mmapped_found, info(3));
  EXPECT_EQ(heap_.mmapped_bytes_found.count, info(4));
  EXPECT_EQ(sum(PieceUse::kFastbin).count, info(5));
  const Bytes free = sum(PieceUse::kFastbin) + sum(PieceUse::kUnsorted) + sum(PieceUse::kSmallbin) +
                     sum(PieceUse::kLargebin) + sum(PieceUse::kTop);
  EXPECT_EQ(free.count, info(7));
  EXPECT_EQ(sum(PieceUse::kTop).count, info(8));
}

TEST_F(GlibcHeapTest, ThreadArenasAndTheirCaches) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      std::vector<void*> blocks;
      for (int i = 0; i < 100; ++i) blocks.push_back(take(1000));
      t.words[0] = number(blocks[10]);
      t.words[1] = number(blocks[11]);
      give(blocks[11]);
    });
  });
  ASSERT_EQ(heap_.arenas.size(), 2U);
  EXPECT_FALSE(heap_.arenas[1].is_main);
  EXPECT_EQ(heap_.arenas[1].attached_threads, 1U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(sink_.at(told(0)).arena, 1U);
  EXPECT_EQ(use_at(1), PieceUse::kCached);
  EXPECT_EQ(heap_.caches.size(), 2U);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, AnArenaThatOutgrewItsFirstRegion) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      for (int i = 0; i < 800; ++i) {
        void* p = take(100000);
        if (i == 3) t.words[0] = number(p);
        t.words[1] = number(p);
      }
    });
  });
  ASSERT_EQ(heap_.arenas.size(), 2U);
  EXPECT_EQ(heap_.arenas[1].regions.size(), 2U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(1), PieceUse::kLive);
  EXPECT_EQ(damages_, "");
}

// The kernel puts mappings where there is room, and merges them with their neighbours: here a
// chunk's with an arena's, right before it.
TEST_F(GlibcHeapTest, AMappedChunkInOneMappingWithAnArena) {
  decode([](Told& t) {
    void* own = take(300000);
    in_a_fresh_arena(t, [&] {
      const std::uint64_t arena = number(take(100)) & ~(model::kArenaHeap.count - 1);
      char* const from = static_cast<char*>(own) - kChunkToUser.count;
      const std::uint64_t size = (malloc_usable_size(own) + kChunkToUser.count + 4095) & ~4095UL;
      void* const to = reinterpret_cast<void*>(arena - size);
      void* const room =
          mmap(to, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0);
      if (room != to) return;
      if (mremap(from, size, size, MREMAP_MAYMOVE | MREMAP_FIXED, to) != to) return;
      t.words[0] = number(to) + kChunkToUser.count;
    });
  });
  if (told(0) == Address{}) GTEST_SKIP() << "something else is before the arena";
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(heap_.mmapped_found, heap_.parameters.mmapped_count);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, MappedChunksWhoseMappingsAreDivided) {
  decode([](Told& t) {
    constexpr std::size_t kPage = 4096;
    // What ran before may have moved the threshold, and have left free what is smaller.
    constexpr std::size_t kBytes = std::size_t{16} << 20;
    ASSERT_EQ(mallopt(M_MMAP_THRESHOLD, kBytes / 2), 1);
    for (std::uint64_t i = 0; i < 4; ++i) {
      char* const block = static_cast<char*>(std::aligned_alloc(kPage * 16, kBytes));
      if (madvise(block + 16 * kPage, 16 * kPage, MADV_DONTDUMP) == 0) t.words[i] = number(block);
    }
  });
  for (std::size_t i = 0; i < 4; ++i) EXPECT_EQ(use_at(i), PieceUse::kLive);
  EXPECT_EQ(heap_.mmapped_found, 4U);
  EXPECT_EQ(heap_.mmapped_found, heap_.parameters.mmapped_count);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, WhatIsSurveyedIsAllThatIsRead) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [] { give(take(1000)); });
    for (int i = 0; i < 1000; ++i) t.words[0] = number(take(5000));
  });
  const auto ranges = survey_glibc_heap(*child_, target_);
  ASSERT_EQ(ranges.size(), 2U);
  for (const model::HeapPiece& piece : sink_.taken()) {
    if (piece.arena == model::kNoArena || piece.range.size() < Bytes{32}) continue;
    const AddressRange header{piece.range.begin, piece.range.begin + Bytes{16}};
    EXPECT_TRUE(
        std::ranges::any_of(ranges, [&](AddressRange range) { return range.contains(header); }));
  }
}

TEST_F(GlibcHeapTest, ABreakThatOthersMovedToo) {
  decode([](Told& t) {
    void* before = take(1000);
    char* theirs = static_cast<char*>(sbrk(5000));
    std::memset(theirs, 0x5a, 5000);
    void* after = nullptr;
    while (number(after) < number(theirs)) after = take(100000);
    t.words[0] = number(before);
    t.words[1] = number(after);
    t.words[2] = number(theirs);
  });
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(1), PieceUse::kLive);
  EXPECT_EQ(sink_.containing(told(2) + Bytes{2000}).use, PieceUse::kForeign);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, ABreakThatCannotBeMoved) {
  decode(take_without_the_break);
  ASSERT_EQ(heap_.arenas.size(), 1U);
  EXPECT_FALSE(heap_.arenas[0].is_contiguous);
  EXPECT_EQ(heap_.arenas[0].not_found, Bytes{});
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_TRUE(model::is_free(use_at(1)));
  Bytes all;
  for (const AddressRange& region : heap_.arenas[0].regions) all += region.size();
  EXPECT_EQ(all.count, told(2).value);
  const Bytes free = sum(PieceUse::kTop) + sum(PieceUse::kUnsorted) + sum(PieceUse::kSmallbin) +
                     sum(PieceUse::kLargebin) + sum(PieceUse::kFastbin);
  EXPECT_EQ(free.count, told(3).value);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, BlocksWithMappingsOfTheirOwnBetweenPieces) {
  decode([](Told& t) {
    hold_the_break();
    for (int i = 0; i < 300; ++i) take(i % 30 == 0 ? 200000 : 20000);
    void* mine = mmap(nullptr, 12288, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    std::memset(mine, 0x5a, 12288);
    for (int i = 0; i < 300; ++i) take(20000);
    t.words[0] = mallinfo2().uordblks;
  });
  EXPECT_EQ(heap_.arenas[0].not_found, Bytes{});
  EXPECT_EQ(heap_.mmapped_found, heap_.parameters.mmapped_count);
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, PiecesCoverEachRegion) {
  decode([](Told&) {
    for (int i = 0; i < 3000; ++i) {
      void* p = take_numbered(i);
      if (i % 5 == 0) give(p);
    }
  });
  EXPECT_TRUE(sink_.covers_regions());
}

}  // namespace
}  // namespace mini::heaps
