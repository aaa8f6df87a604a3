// The decoder on real heaps: children of this process do something known with malloc, and what the
// decoder says of each block is compared with what they did. Malloc's own statistics are the second
// witness.
#include "heaps/glibc_heap.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <gmock/gmock.h>
#include <gnu/libc-version.h>
#include <gtest/gtest.h>
#include <malloc.h>
#include <map>
#include <string>
#include <thread>

#include "frozen_child.h"
#include "heaps/glibc_chunk.h"
#include "recording_sink.h"

namespace mini::heaps {
namespace {

using model::PieceUse;
using Told = FrozenChild::Told;

std::uint64_t number(const void* p) {
  return reinterpret_cast<std::uint64_t>(p);
}

// Malloc and free through pointers that a compiler cannot see through: it knows too much of both,
// and the tests do to blocks what no program may.
void* (*volatile take)(std::size_t) = std::malloc;
void (*volatile give)(void*) = std::free;

void* take_numbered(int size) {
  return take(static_cast<std::size_t>(size));
}

/// Does `work` in a thread of its own, whose arena is new: its bins are empty, and blocks come one
/// after the other. The thread stays.
void in_a_fresh_arena(FrozenChild::Told& told, const std::function<void()>& work) {
  std::thread([&] {
    work();
    told.words[60] = number(__builtin_thread_pointer());
    __atomic_store_n(&told.words[59], 1, __ATOMIC_SEQ_CST);
    for (;;) pause();
  }).detach();
  while (__atomic_load_n(&told.words[59], __ATOMIC_SEQ_CST) == 0) usleep(1000);
}

struct Maps {
  AddressRange libc_data;
  AddressRange libc_read_only;
  std::vector<AddressRange> writable;
};

Maps read_maps(pid_t pid) {
  Maps maps;
  std::ifstream file("/proc/" + std::to_string(pid) + "/maps");
  bool after_libc = false;
  for (std::string line; std::getline(file, line);) {
    unsigned long begin = 0;
    unsigned long end = 0;
    char protection[5] = {};
    std::sscanf(line.c_str(), "%lx-%lx %4s", &begin, &end, protection);
    const AddressRange range{Address{begin}, Address{end}};
    const bool libc = line.find("/libc.so.6") != std::string::npos;
    const bool named = line.find('/') != std::string::npos;
    const bool writable = protection[1] == 'w' && protection[3] == 'p';
    if (libc && maps.libc_read_only.empty()) maps.libc_read_only = range;
    if (libc && protection[1] != 'w') maps.libc_read_only.end = range.end;
    if (libc && writable) maps.libc_data = range;
    if (after_libc && !named && maps.libc_data.end == range.begin) maps.libc_data.end = range.end;
    if (!named && writable) maps.writable.push_back(range);
    after_libc = libc;
  }
  return maps;
}

class GlibcHeapTest : public testing::Test {
 protected:
  void SetUp() override {
    const Maps maps = read_maps(getpid());
    if (maps.libc_data.empty()) GTEST_SKIP() << "not linked to a shared glibc";
    void* p = take(100);
    const bool glibcs = mallinfo2().arena != 0;
    give(p);
    if (!glibcs) GTEST_SKIP() << "another malloc stands before glibc's";
  }

  /// Runs `work` in a child and decodes the child's heap.
  void decode(const std::function<void(Told&)>& work) {
    child_ = std::make_unique<FrozenChild>(work);
    const Maps maps = read_maps(child_->pid());
    GlibcHints hints;
    hints.data = maps.libc_data;
    hints.version = find_glibc_version(*child_, maps.libc_read_only);
    const auto malloc = locate_glibc(*child_, hints);
    ASSERT_TRUE(malloc.has_value());
    GlibcTarget target{.malloc = *malloc, .threads = {}, .writable = maps.writable};
    const Address own{number(__builtin_thread_pointer())};
    target.threads.push_back({.id = child_->pid(), .thread_pointer = own});
    for (std::size_t i = 60; i < 64 && told(i) != Address{}; ++i) {
      target.threads.push_back({.id = static_cast<std::int64_t>(i), .thread_pointer = told(i)});
    }
    heap_ = read_glibc_heap(*child_, target, sink_);
    target_ = target;
    for (const model::HeapDamage& damage : heap_.damages) {
      damages_ += damage.field + " is " + damage.found + ", not " + damage.expected + "\n";
    }
  }

  Address told(std::size_t i) const { return child_->told(i); }
  PieceUse use_at(std::size_t i) const { return sink_.use_of(told(i)); }
  Bytes sum(PieceUse use) const { return sink_.sum(use); }

  std::unique_ptr<FrozenChild> child_;
  RecordingSink sink_;
  GlibcTarget target_;
  model::Heap heap_;
  std::string damages_;
};

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

/// By a page that is mapped where it would go.
void hold_the_break() {
  constexpr int kFlags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
  if (mmap(sbrk(0), 4096, PROT_READ | PROT_WRITE, kFlags, -1, 0) == MAP_FAILED) abort();
}

/// Takes blocks where the break cannot be moved, and gives every third back. Into words 0 and 1 one
/// that stays and one that does not, then what malloc says of itself.
void take_without_the_break(Told& t) {
  hold_the_break();
  while (number(take(20000)) < number(sbrk(0))) {  // gaps of what the break had given before
  }
  static std::array<void*, 300> blocks;
  for (void*& block : blocks) block = take(20000);
  t.words[0] = number(blocks[151]);
  t.words[1] = number(blocks[150]);
  for (std::size_t i = 0; i < blocks.size(); i += 3) give(blocks[i]);
  t.words[2] = mallinfo2().arena;
  t.words[3] = mallinfo2().fordblks;
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

// ── Damage ──────────────────────────────────────────────────────────────────────────────────────

void overwrite(void* p, std::ptrdiff_t words, std::uint64_t value) {
  // Through a volatile pointer: the compiler must not know that this is outside the block.
  static_cast<volatile std::uint64_t*>(p)[words] = value;
}

MATCHER_P2(DamageAt, where, field, "") {  // NOLINT(readability-identifier-naming)
  return arg.where == where && arg.field.find(field) != std::string::npos;
}

TEST_F(GlibcHeapTest, APieceThatIsNotFoundIsNoDamage) {
  decode([](Told& t) {
    take_without_the_break(t);
    overwrite(reinterpret_cast<void*>(t.words[0]), -1, 0x41);  // no chunk follows there
  });
  EXPECT_GT(heap_.arenas[0].not_found, Bytes{});
  EXPECT_EQ(damages_, "");
}

TEST_F(GlibcHeapTest, ADamagedFirstPieceIsStillWalked) {
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

TEST_F(GlibcHeapTest, AnOverwrittenSizeIsNamedAndTheWalkGoesOn) {
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
TEST_F(GlibcHeapTest, AnOverwrittenSizeBehindAFreeChunk) {
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

TEST_F(GlibcHeapTest, ABlockThatWasFreedTwice) {
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

TEST_F(GlibcHeapTest, ATopWithoutItsFlagMakesNoChunkFree) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      auto* last = static_cast<std::uint64_t*>(take(24));
      overwrite(last, 3, last[3] & ~1UL);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
}

TEST_F(GlibcHeapTest, AWildLinkOfACache) {
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

TEST_F(GlibcHeapTest, AWildHeadOfTheMainThreadsCache) {
  decode(write_into_a_cached_block);
  ASSERT_EQ(heap_.caches.size(), 1U);
  EXPECT_EQ(use_at(0), PieceUse::kLive);
  EXPECT_EQ(use_at(1), PieceUse::kCached);
  EXPECT_THAT(heap_.damages, testing::ElementsAre(testing::Field(
                                 &model::HeapDamage::field, "link of a thread cache, bin 43")));
}

TEST_F(GlibcHeapTest, AWildHeadOfAThreadsCache) {
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

TEST_F(GlibcHeapTest, ACounterOfACacheThatIsTooLarge) {
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
TEST_F(GlibcHeapTest, ABlockOfACachesSizeIsNoDamagedCache) {
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
TEST_F(GlibcHeapTest, ManyThreadsThatLeadNowhere) {
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

TEST_F(GlibcHeapTest, ALoopInABin) {
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

TEST_F(GlibcHeapTest, ALoopInAFastBin) {
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

TEST_F(GlibcHeapTest, AChunkInAFastBinAndInACache) {
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

TEST_F(GlibcHeapTest, ATopThatIsTooLarge) {
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
TEST_F(GlibcHeapTest, ATopThatDoesNotEndWithAPage) {
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

TEST_F(GlibcHeapTest, ATopOfAThreadsArenaThatEndsBeforeItsRegion) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      auto* last = static_cast<std::uint64_t*>(take(24));
      overwrite(last, 3, last[3] - 0x2000);
      t.words[0] = number(last) + 24;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "size of the top chunk")));
}

TEST_F(GlibcHeapTest, ARegionWhoseSizeIsNotTheTops) {
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

TEST_F(GlibcHeapTest, LinksToOtherSizesThatAreOverwritten) {
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

TEST_F(GlibcHeapTest, ALinkToAnotherSizeOfASecondOne) {
  decode([](Told& t) {
    in_a_fresh_arena(t, [&t] {
      std::array<void*, 6> blocks = fill_a_large_bin();
      overwrite(blocks[3], 2, 0x4242424242424240);
      t.words[0] = number(blocks[3]) + 16;
    });
  });
  EXPECT_THAT(heap_.damages, testing::ElementsAre(DamageAt(told(0), "to another size")));
}

TEST_F(GlibcHeapTest, LinksToOtherSizesOfABusyHeap) {
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

TEST_F(GlibcHeapTest, AChunkThatClaimsToBeOfAnotherKindOfArena) {
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

TEST_F(GlibcHeapTest, ATopThatIsNotWrittenYetHidesNothing) {
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
