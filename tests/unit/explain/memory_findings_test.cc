// Each finding from an inspection that has what it is about, and no other.
#include "explain/memory_findings.h"

#include <bit>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "explain/memory_ledger.h"

namespace mini::explain {
namespace {

using model::Inspection;
using model::PieceUse;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Not;

/// 100 MiB resident, a heap with nothing remarkable.
Inspection sample() {
  Inspection inspection;
  inspection.resident = kMiB * 100;
  inspection.mapped = kMiB * 200;
  inspection.pause_ns = 1;
  model::Heap& heap = inspection.heap.emplace();
  heap.parameters.mmap_threshold = kKiB * 128;
  heap.parameters.trim_threshold = kKiB * 128;
  heap.arenas.emplace_back().is_main = true;
  inspection.account.by_arena.resize(1);
  return inspection;
}

std::vector<std::string> kinds(const Inspection& inspection) {
  std::vector<std::string> words;
  for (const Finding& finding : find_in_inspection(inspection)) words.emplace_back(finding.kind);
  return words;
}

model::PieceTotals& of(Inspection& inspection, std::size_t arena, PieceUse use) {
  return inspection.account.by_arena.at(arena).at(static_cast<std::size_t>(use));
}

/// The resident bytes of free chunks whose sizes are about that.
Bytes& free_of_size(Inspection& inspection, Bytes size) {
  const auto row = static_cast<std::size_t>(std::bit_width(size.count - 1));
  return inspection.account.sizes.at(row).free.resident;
}

void add_row(Inspection& inspection, model::MemoryKind kind, Bytes bytes, std::string owner) {
  inspection.resident_ledger.push_back({.kind = kind,
                                        .bytes = static_cast<std::int64_t>(bytes.count),
                                        .owner = std::move(owner),
                                        .tag = model::FigureTag::kMeasured});
}

TEST(MemoryFindingsTest, NothingRemarkable) {
  EXPECT_THAT(kinds(sample()), IsEmpty());
}

TEST(MemoryFindingsTest, DamageComesFirstAndIsNamed) {
  Inspection inspection = sample();
  inspection.account.returnable = kMiB * 50;
  inspection.heap->damages_count = 3;
  inspection.heap->damages.push_back(
      {Address{0x5008}, "size of the chunk at 0x5000", "0x41", "more"});
  EXPECT_THAT(kinds(inspection), ElementsAre("damage", "returnable"));
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_THAT(finding.statement, HasSubstr("damaged in 3 places"));
  EXPECT_THAT(finding.evidence, HasSubstr("At 0x5008, size of the chunk at 0x5000 is 0x41"));
}

TEST(MemoryFindingsTest, ABlockThatWasFreedTwiceIsSaidToBe) {
  Inspection inspection = sample();
  inspection.heap->damages_count = 1;
  inspection.heap->damages.push_back({.where = Address{0x5000},
                                      .field = "chunk in two lists",
                                      .found = "cached and cached",
                                      .expected = "one list",
                                      .kind = model::DamageKind::kTwice});
  EXPECT_THAT(find_in_inspection(inspection).front().advice, HasSubstr("freed twice"));
}

TEST(MemoryFindingsTest, DamageOfARunningProcessMayBeMotion) {
  Inspection inspection = sample();
  inspection.pause_ns = 0;
  inspection.heap->damages_count = 1;
  inspection.heap->damages.push_back({Address{0x5008}, "size", "0x41", "more"});
  EXPECT_THAT(find_in_inspection(inspection).front().statement, HasSubstr("while it was read"));
}

TEST(MemoryFindingsTest, DamageOfAHeapThatWasCopiedInPartMayBeMotion) {
  Inspection inspection = sample();
  inspection.heap_to_read = kMiB * 10;
  inspection.heap_in_pause = kMiB * 10;
  inspection.heap->damages_count = 1;
  inspection.heap->damages.push_back({Address{0x5008}, "size", "0x41", "more"});
  EXPECT_THAT(find_in_inspection(inspection).front().statement, HasSubstr("is damaged"));
  inspection.heap_in_pause = kMiB * 9;
  EXPECT_THAT(find_in_inspection(inspection).front().statement, HasSubstr("while it was read"));
}

TEST(MemoryFindingsTest, DamageThatAThreadMayHaveBeenChanging) {
  Inspection inspection = sample();
  inspection.may_be_motion = true;
  inspection.heap->damages_count = 1;
  inspection.heap->damages.push_back({Address{0x5008}, "size", "0x0", "more"});
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.kind, "damage");
  EXPECT_THAT(finding.statement, HasSubstr("damage, or a thread was"));
  EXPECT_THAT(finding.advice, HasSubstr("Inspect once more"));
}

TEST(MemoryFindingsTest, MotionComesLast) {
  Inspection inspection = sample();
  inspection.heap_readings = 4;
  inspection.places_in_motion = 2;
  inspection.account.returnable = kMiB * 50;
  inspection.heap->counters = {{.name = "slabs", .counted = 3, .found = 2, .in_motion = true}};
  EXPECT_THAT(kinds(inspection), ElementsAre("returnable", "in_motion"));
  const Finding finding = find_in_inspection(inspection).back();
  EXPECT_THAT(finding.statement, HasSubstr("2 places did not fit together yet"));
  EXPECT_THAT(finding.evidence, HasSubstr("in each of 4 readings"));
}

TEST(MemoryFindingsTest, LittleIsNotWorthASentence) {
  Inspection inspection = sample();
  inspection.account.returnable = kMiB * 4;
  inspection.account.pinned = kMiB * 4;
  EXPECT_THAT(kinds(inspection), IsEmpty());
}

TEST(MemoryFindingsTest, ATrimThresholdIsAdvisedWhereItWouldHelp) {
  Inspection inspection = sample();
  const auto advice = [&] { return find_in_inspection(inspection).front().advice; };
  inspection.account.returnable = kMiB * 50;
  inspection.heap->parameters.trim_threshold = kMiB;
  of(inspection, 0, PieceUse::kTop).resident = kMiB * 40;
  EXPECT_THAT(advice(), HasSubstr("trim_threshold"));
  of(inspection, 0, PieceUse::kTop).resident = kMiB * 10;  // the most is between blocks
  EXPECT_THAT(advice(), Not(HasSubstr("trim_threshold")));
  of(inspection, 0, PieceUse::kTop).resident = kMiB * 40;
  inspection.heap->parameters.trim_threshold = kKiB * 128;  // it is so low
  EXPECT_THAT(advice(), Not(HasSubstr("trim_threshold")));
}

TEST(MemoryFindingsTest, PinnedMemoryWithItsGreatestPin) {
  Inspection inspection = sample();
  inspection.account.pinned = kMiB * 40;
  inspection.account.pins.push_back({.first_block = Address{0x7010},
                                     .blocks = 1,
                                     .size = Bytes{48},
                                     .pinned = kKiB * 124,
                                     .arena = 0});
  EXPECT_THAT(kinds(inspection), ElementsAre("pinned"));
  EXPECT_THAT(find_in_inspection(inspection).front().evidence,
              HasSubstr("1 block from 0x7010 on (48 B): 124 KiB around it"));
}

TEST(MemoryFindingsTest, AllPinsAreCountedBesideTheGreatest) {
  Inspection inspection = sample();
  inspection.account.pinned = kMiB * 40;
  inspection.account.pins.push_back({.first_block = Address{0x7010},
                                     .blocks = 1,
                                     .size = Bytes{48},
                                     .pinned = Bytes{8000},
                                     .arena = 0});
  inspection.account.pinning_blocks = 5000;
  inspection.account.pinning_bytes = Bytes{5000 * 208};
  EXPECT_THAT(find_in_inspection(inspection).front().evidence,
              HasSubstr("around 5,000 blocks in use, of 208 B on average; the most is kept by 1 "
                        "block from 0x7010 on"));
}

TEST(MemoryFindingsTest, ThreadArenasThatKeepFreeMemory) {
  Inspection inspection = sample();
  inspection.heap->arenas.emplace_back().attached_threads = 0;
  inspection.account.by_arena.resize(2);
  of(inspection, 1, PieceUse::kUnsorted).resident = kMiB * 30;
  EXPECT_THAT(kinds(inspection), ElementsAre("arenas"));
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.statement, "1 thread arena holds 30 MiB that is free.");
  EXPECT_THAT(finding.evidence, HasSubstr("threads of 1 have ended"));
  EXPECT_THAT(finding.advice, HasSubstr("MALLOC_ARENA_MAX=1."));  // there are no more than 2
  inspection.heap->arenas.emplace_back().attached_threads = 1;
  inspection.account.by_arena.resize(3);
  EXPECT_THAT(find_in_inspection(inspection).front().advice, HasSubstr("MALLOC_ARENA_MAX=2."));
}

TEST(MemoryFindingsTest, WhatIsInCachesIsNotTheArenas) {
  Inspection inspection = sample();
  inspection.heap->arenas.emplace_back().attached_threads = 7;
  inspection.account.by_arena.resize(2);
  of(inspection, 1, PieceUse::kCached) = {
      .pieces = 90'000, .size = kMiB * 30, .resident = kMiB * 30};
  EXPECT_THAT(kinds(inspection), ElementsAre("thread_caches"));
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.statement,
            "30 MiB is free in threads' caches, where no other thread can use it.");
  EXPECT_THAT(finding.evidence, HasSubstr("in 90,000 blocks; malloc_trim does not reach them"));
  EXPECT_THAT(finding.advice, HasSubstr("tcache_count=1"));
  inspection.heap->allocator = "libminimalloc";
  EXPECT_THAT(find_in_inspection(inspection).front().advice, HasSubstr("MINIMALLOC_THREAD_CACHE"));
}

TEST(MemoryFindingsTest, AThresholdThatHasGrown) {
  Inspection inspection = sample();
  inspection.heap->parameters.mmap_threshold = kMiB * 32;
  of(inspection, 0, PieceUse::kLargebin).resident = kMiB * 30;
  free_of_size(inspection, kKiB * 200) = kMiB * 30;
  EXPECT_THAT(kinds(inspection), ElementsAre("mmap_threshold"));
  free_of_size(inspection, kKiB * 200) = {};  // chunks that no mapping would have been made for
  free_of_size(inspection, kKiB * 128) = kMiB * 30;
  EXPECT_THAT(kinds(inspection), IsEmpty());
  of(inspection, 0, PieceUse::kTop).resident = kMiB * 20;  // the trim threshold is raised, too
  EXPECT_THAT(kinds(inspection), ElementsAre("mmap_threshold"));
}

TEST(MemoryFindingsTest, AnMmapThresholdThatIsFixed) {
  Inspection inspection = sample();
  inspection.heap->parameters.mmap_threshold = kMiB * 32;
  inspection.heap->parameters.thresholds_are_fixed = true;
  EXPECT_THAT(kinds(inspection), IsEmpty());
  of(inspection, 0, PieceUse::kLargebin).resident = kMiB * 30;
  EXPECT_THAT(kinds(inspection), ElementsAre("mmap_threshold"));
  EXPECT_THAT(find_in_inspection(inspection).front().evidence, HasSubstr("is fixed there"));
}

TEST(MemoryFindingsTest, ATrimThresholdThatIsFixed) {
  Inspection inspection = sample();
  inspection.heap->parameters.thresholds_are_fixed = true;
  inspection.heap->parameters.trim_threshold = kMiB * 64;
  inspection.heap->arenas.front().top_size = kMiB * 30;
  of(inspection, 0, PieceUse::kTop).resident = kMiB * 30;
  EXPECT_THAT(kinds(inspection), ElementsAre("trim_threshold"));
  EXPECT_THAT(find_in_inspection(inspection).front().statement, HasSubstr("above 64 MiB only"));
  inspection.heap->parameters.trim_threshold = Bytes{UINT64_MAX};
  EXPECT_THAT(find_in_inspection(inspection).front().statement, HasSubstr("given back never"));
  inspection.heap->parameters.trim_threshold = kMiB;  // the next free gives it back
  EXPECT_THAT(kinds(inspection), IsEmpty());
}

TEST(MemoryFindingsTest, WhatWasNotFoundIsSaid) {
  Inspection inspection = sample();
  inspection.heap->parameters.mmapped_count = 2;
  inspection.heap->caches_not_found = 1;
  EXPECT_THAT(kinds(inspection), ElementsAre("caches_not_found", "mmapped_not_found"));
  inspection.heap->arenas.front().not_found = kMiB;
  EXPECT_THAT(kinds(inspection),
              ElementsAre("caches_not_found", "mmapped_not_found", "arena_not_found"));
}

TEST(MemoryFindingsTest, MmappedChunksThatSayAnotherSizeThanMallocCounts) {
  Inspection inspection = sample();
  inspection.heap->parameters.mmapped_count = 1;
  inspection.heap->mmapped_found = 1;
  inspection.heap->parameters.mmapped = kMiB;
  inspection.heap->mmapped_bytes_found = kMiB + Bytes{8192};
  EXPECT_THAT(kinds(inspection), ElementsAre("mmapped_size"));
}

TEST(MemoryFindingsTest, WhatHelpsIsAnOptionOfTheAllocatorThatIsThere) {
  Inspection inspection = sample();
  inspection.account.returnable = kMiB * 50;
  inspection.regions.emplace_back().huge = kMiB * 60;
  ASSERT_THAT(kinds(inspection), ElementsAre("returnable", "huge_pages"));
  EXPECT_THAT(find_in_inspection(inspection)[0].advice, Not(HasSubstr("MINIMALLOC")));
  EXPECT_THAT(find_in_inspection(inspection)[1].advice, HasSubstr("transparent_hugepage"));
  inspection.heap->allocator = "libminimalloc";
  EXPECT_THAT(find_in_inspection(inspection)[0].advice, Not(HasSubstr("MINIMALLOC_RETAIN")));
  of(inspection, 0, PieceUse::kLive).size = kMiB * 48;
  of(inspection, 0, PieceUse::kFreePages).resident = kMiB * 2;
  EXPECT_THAT(find_in_inspection(inspection)[0].advice, HasSubstr("MINIMALLOC_RETAIN=1M"));
  of(inspection, 0, PieceUse::kFreePages).resident = kMiB * 4;  // more than is kept in any case
  EXPECT_THAT(find_in_inspection(inspection)[0].advice, Not(HasSubstr("MINIMALLOC_RETAIN")));
  EXPECT_THAT(find_in_inspection(inspection)[1].advice, HasSubstr("MINIMALLOC_HUGE_PAGES=never"));
}

TEST(MemoryFindingsTest, MemoryThatIsNotMallocs) {
  Inspection inspection = sample();
  add_row(inspection, model::MemoryKind::kOtherAnonymous, kMiB * 80, "");
  EXPECT_THAT(kinds(inspection), ElementsAre("not_malloc"));
}

TEST(MemoryFindingsTest, MmappedChunksThatWereNotFoundAreMallocs) {
  Inspection inspection = sample();
  add_row(inspection, model::MemoryKind::kOtherAnonymous, kMiB * 80, "");
  inspection.heap->parameters.mmapped = kMiB * 90;
  inspection.heap->parameters.mmapped_count = 40;
  EXPECT_THAT(kinds(inspection), ElementsAre("mmapped_not_found"));
}

TEST(MemoryFindingsTest, MemoryThatIsMostlyFiles) {
  Inspection inspection = sample();
  add_row(inspection, model::MemoryKind::kProgramFile, kMiB * 10, "/usr/lib/libc.so.6");
  add_row(inspection, model::MemoryKind::kProgramFile, kMiB * 70, "/data/index");
  EXPECT_THAT(kinds(inspection), ElementsAre("not_malloc"));
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.statement,
            "Most of the memory is not malloc's: 80 MiB is of files that are mapped.");
  EXPECT_EQ(finding.evidence, "80% of the resident memory; the most is of /data/index, 70 MiB.");
}

TEST(MemoryFindingsTest, TheLibrariesOfASmallProgramAreNoFinding) {
  Inspection inspection = sample();
  inspection.resident = kMiB * 3;
  add_row(inspection, model::MemoryKind::kProgramFile, kMiB * 2, "/usr/lib/libc.so.6");
  EXPECT_THAT(kinds(inspection), IsEmpty());
}

TEST(MemoryFindingsTest, MemoryThatIsMostlyStacks) {
  Inspection inspection = sample();
  add_row(inspection, model::MemoryKind::kMainStack, kMiB, "");
  add_row(inspection, model::MemoryKind::kThreadStack, kMiB * 30, "thread 71");
  add_row(inspection, model::MemoryKind::kThreadStack, kMiB * 25, "thread 72");
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.kind, "not_malloc");
  EXPECT_THAT(finding.statement, HasSubstr("56 MiB is stacks of threads"));
  EXPECT_THAT(finding.evidence, HasSubstr("the most is of thread 71, 30 MiB"));
}

TEST(MemoryFindingsTest, MemoryThatIsMostlyShared) {
  Inspection inspection = sample();
  add_row(inspection, model::MemoryKind::kSharedMemory, kMiB * 60, "/dev/shm/pool");
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.kind, "not_malloc");
  EXPECT_THAT(finding.statement, HasSubstr("60 MiB is shared memory"));
}

TEST(MemoryFindingsTest, MemoryThatTheProgramHasItself) {
  Inspection inspection = sample();
  of(inspection, 0, PieceUse::kLive) = {.pieces = 1000, .resident = kMiB * 40};
  EXPECT_THAT(kinds(inspection), IsEmpty());
  inspection.account.without_arena.at(static_cast<std::size_t>(PieceUse::kLive)) = {
      .pieces = 24, .resident = kMiB * 20};
  inspection.account.returnable = kMiB * 20;
  EXPECT_THAT(kinds(inspection), ElementsAre("live", "returnable"));
  const Finding finding = find_in_inspection(inspection).front();
  EXPECT_EQ(finding.statement, "Most of the memory is in blocks that are in use: 60 MiB.");
  EXPECT_THAT(finding.evidence, HasSubstr("60% of the resident memory, in 1,024 blocks"));
  EXPECT_THAT(finding.advice, HasSubstr("heapspy record"));
}

}  // namespace
}  // namespace mini::explain
