// The table of rows: found again, grown, forgotten.
#include "unwind/self/row_cache.h"

#include <gtest/gtest.h>
#include <thread>
#include <vector>

namespace mini::unwind::self {
namespace {

Row row_for(std::uintptr_t pc) {
  return Row::make(RowKind::kSp, static_cast<std::int64_t>(pc & 0xffff) * 8);
}

TEST(RowTest, KeepsWhatItIsMadeOf) {
  const Row row = Row::make(RowKind::kBp, 0x7fff'ffff, BpRule::kAtBp, -Row::kMostBpOffset);
  EXPECT_EQ(row.kind(), RowKind::kBp);
  EXPECT_EQ(row.bp_rule(), BpRule::kAtBp);
  EXPECT_EQ(row.cfa_offset(), 0x7fff'ffff);
  EXPECT_EQ(row.bp_offset(), -Row::kMostBpOffset);
  EXPECT_EQ(Row::make(RowKind::kSp, 0x8000'0000).kind(), RowKind::kUnsupported);
  EXPECT_EQ(Row::make(RowKind::kSp, 8, BpRule::kAtCfa, Row::kMostBpOffset + 1).kind(),
            RowKind::kUnsupported);
}

TEST(RowCacheTest, FindsWhatWasInserted) {
  RowCache cache;
  EXPECT_EQ(RowCache::find(cache.table(), 0x1000).kind(), RowKind::kAbsent);
  // Enough for some tables: each takes over what was in the one before.
  constexpr std::uintptr_t kCount = 3 * RowCache::kFirstSlots;
  for (std::uintptr_t pc = 0x1000; pc < 0x1000 + kCount; ++pc) {
    cache.insert(pc, row_for(pc), cache.generation());
    ASSERT_EQ(RowCache::find(cache.table(), pc), row_for(pc));
  }
  for (std::uintptr_t pc = 0x1000; pc < 0x1000 + kCount; ++pc) {
    ASSERT_EQ(RowCache::find(cache.table(), pc), row_for(pc));
  }
  EXPECT_EQ(RowCache::find(cache.table(), 0x1000 + kCount).kind(), RowKind::kAbsent);
  EXPECT_GE(cache.table()->slot_count(), 4 * RowCache::kFirstSlots);
}

// A walk that began before may go on with it.
TEST(RowCacheTest, ATableThatWasFollowedIsLeftNearlyEmpty) {
  RowCache cache;
  cache.insert(1, row_for(1), cache.generation());
  const RowCache::Table* const first = cache.table();
  constexpr std::uintptr_t kCount = RowCache::kFirstSlots;
  for (std::uintptr_t pc = 1; pc < kCount; ++pc) {
    cache.insert(pc, row_for(pc), cache.generation());
  }
  ASSERT_NE(cache.table(), first);
  std::size_t left = 0;
  for (std::uintptr_t pc = 1; pc < kCount; ++pc) {
    const Row row = RowCache::find(first, pc);
    if (row.kind() == RowKind::kAbsent) continue;
    ASSERT_EQ(row, row_for(pc));
    ++left;
  }
  EXPECT_LE(left, 4096 / sizeof(RowCache::Table::Slot));
}

TEST(RowCacheTest, IsBounded) {
  RowCache cache;
  for (std::uintptr_t pc = 1; pc < 2 * RowCache::kMostSlots; ++pc) {
    cache.insert(pc, row_for(pc), cache.generation());
  }
  EXPECT_EQ(cache.table()->slot_count(), RowCache::kMostSlots);
  EXPECT_EQ(RowCache::find(cache.table(), 2 * RowCache::kMostSlots - 1).kind(), RowKind::kAbsent);
}

TEST(RowCacheTest, ForgetsWhatIsNotKept) {
  RowCache cache;
  for (std::uintptr_t pc = 1; pc <= 100; ++pc) cache.insert(pc, row_for(pc), cache.generation());
  const std::uint64_t before = cache.generation();
  const std::uintptr_t limit = 50;
  cache.forget([](const void* least,
                  std::uintptr_t pc) { return pc >= *static_cast<const std::uintptr_t*>(least); },
               &limit);
  EXPECT_NE(cache.generation(), before);
  EXPECT_EQ(RowCache::find(cache.table(), 49).kind(), RowKind::kAbsent);
  EXPECT_EQ(RowCache::find(cache.table(), 50), row_for(50));
  cache.insert(49, row_for(7), cache.generation());
  EXPECT_EQ(RowCache::find(cache.table(), 49), row_for(7));
  cache.insert(48, row_for(48), before);  // compiled from what is gone
  EXPECT_EQ(RowCache::find(cache.table(), 48).kind(), RowKind::kAbsent);
}

TEST(RowCacheTest, ThreadsNeverFindAnothersRow) {
  RowCache cache;
  std::vector<std::thread> threads;
  for (std::uintptr_t i = 0; i < 4; ++i) {
    threads.emplace_back([&cache, i] {
      const RowCache::Table* table = nullptr;  // kept for a while, as by a walk
      for (std::uintptr_t pc = 1 + i; pc < 20'000; pc += 1 + i % 2) {
        if (pc % 64 <= 1) table = cache.table();
        const Row found = RowCache::find(table, pc);
        if (found.kind() != RowKind::kAbsent) {
          ASSERT_EQ(found, row_for(pc));
        }
        cache.insert(pc, row_for(pc), cache.generation());
        if (pc % 4096 == 0) {
          cache.forget([](const void*, std::uintptr_t at) { return at % 2 == 0; }, nullptr);
        }
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_GT(cache.generation(), 4U);
}

}  // namespace
}  // namespace mini::unwind::self
