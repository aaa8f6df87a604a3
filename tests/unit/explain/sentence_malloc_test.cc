// Sentences about glibc's malloc: the arithmetic where it comes out, the observation where not.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "story.h"

namespace mini::explain {
namespace {

using testing::EndsWith;
using testing::HasSubstr;
using testing::Not;
using testing::StartsWith;

constexpr std::uint64_t kHeap = 0x5000'0000;
constexpr AddressRange kBlock = range_of(0x7f0000000000, 0x41000);

model::MallocRequest request(std::uint64_t requested, std::uint64_t chunk) {
  return {.requested = Bytes{requested}, .chunk = Bytes{chunk}};
}

Story with_heap(std::uint64_t bytes = 0) {
  Story story;
  story.brk(kHeap, kLoaderMaps);
  if (bytes != 0) story.brk(kHeap + bytes, kMallocGrowth);
  return story;
}

TEST(SentenceMallocTest, TheFirstGrowthIsTheThreadCaches) {
  Story story = with_heap();
  const auto event = story.brk(kHeap + 0x21000, kPrintfGrowth, malloc_state(), request(1024, 1040));
  EXPECT_EQ(event.explanation,
            "malloc(1024) from stdio needs a 1040-byte chunk; the heap is empty, so 656 (thread "
            "cache) + 131072 (top pad) + 32, rounded up to pages = 135168 bytes = 132 KiB; its "
            "chunk is cut from the same growth");
}

TEST(SentenceMallocTest, AFirstRequestTooLargeForThatGrowthNeedsAnother) {
  Story story = with_heap();
  const auto event =
      story.brk(kHeap + 0x21000, kMallocGrowth, malloc_state(), request(134500, 134512));
  EXPECT_THAT(event.explanation, EndsWith("too little for its chunk: the next call is for that"));
}

TEST(SentenceMallocTest, AFirstRequestThatIsNotKnownHasNoNumber) {
  Story story = with_heap();
  const auto event = story.brk(kHeap + 0x21000, kPrintfGrowth, malloc_state());
  EXPECT_THAT(event.explanation, StartsWith("malloc from stdio is the first to need memory; the "
                                            "heap is empty, so 656 (thread cache) + 131072"));
}

TEST(SentenceMallocTest, AnotherFirstGrowthIsOnlyObserved) {
  Story story = with_heap();
  const auto event = story.brk(kHeap + 0x32000, kMallocGrowth, malloc_state());
  EXPECT_EQ(event.explanation,
            "malloc asked for more heap: 204800 bytes = 200 KiB; the heap was empty");
}

TEST(SentenceMallocTest, AnEmptyHeapOfUnknownVersionIsOnlyObserved) {
  Story story = with_heap();
  model::MallocState state = malloc_state();
  state.glibc_version = "";
  const auto event = story.brk(kHeap + 0x21000, kMallocGrowth, state, request(1000, 1008));
  EXPECT_THAT(event.explanation, HasSubstr("asked for more heap: 135168 bytes"));
}

TEST(SentenceMallocTest, ALaterGrowthCountsWhatIsLeft) {
  Story story = with_heap(0x21000);
  const auto event = story.brk(kHeap + 0x43000, kMallocGrowth,
                               malloc_state(kHeap + 0x11430, 0xfbd0), request(70001, 70016));
  EXPECT_EQ(
      event.explanation,
      "malloc(70001) needs a 70016-byte chunk; the top chunk has 64464 bytes left, so 70016 + "
      "131072 (top pad) + 32 - 64464, rounded up to pages = 139264 bytes = 136 KiB");
}

TEST(SentenceMallocTest, ARequestThatDoesNotExplainTheGrowthIsNotUsed) {
  Story story = with_heap(0x21000);
  const auto event = story.brk(kHeap + 0x44000, kMallocGrowth,
                               malloc_state(kHeap + 0x11430, 0xfbd0), request(70001, 70016));
  EXPECT_THAT(event.explanation, Not(HasSubstr("rounded up")));
  EXPECT_THAT(event.explanation, HasSubstr("143360 bytes = 140 KiB"));
  EXPECT_THAT(event.explanation, HasSubstr("the top chunk had 64464 bytes left"));
}

TEST(SentenceMallocTest, WithoutStateTheGrowthIsOnlyObserved) {
  Story story = with_heap();
  EXPECT_EQ(story.brk(kHeap + 0x21000, kMallocGrowth).explanation,
            "malloc asked for more heap: 135168 bytes = 132 KiB");
}

TEST(SentenceMallocTest, AForeignBreakIsNoticed) {
  Story story = with_heap(0x21000);
  story.brk(kHeap + 0x21000 + 1000, kOwnSbrk);
  const auto state = malloc_state(kHeap + 0x1d7d0, 14384);
  const auto growth =
      story.brk(kHeap + 0x21000 + 1000 + 0x3a000, kMallocGrowth, state, request(120000, 120016));
  EXPECT_THAT(growth.explanation, StartsWith("malloc(120000) needs a 120016-byte chunk"));
  EXPECT_THAT(growth.explanation, HasSubstr("1000 bytes past the end malloc knows"));

  const auto correction = story.brk(kHeap + 0x21000 + 1000 + 0x3a000 + 15384, kMallocGrowth, state);
  EXPECT_THAT(correction.explanation, StartsWith("malloc found the break moved by somebody else"));
  EXPECT_THAT(correction.explanation, HasSubstr("15384 bytes more"));
}

TEST(SentenceMallocTest, AHeapThatDoesNotStartOnAPageIsCorrected) {
  Story story = with_heap();
  story.brk(kHeap + 0xd00, kOwnSbrk);
  story.brk(kHeap + 0xd00 + 0x21000, kMallocGrowth, malloc_state());
  const auto event = story.brk(kHeap + 0x22000, kMallocGrowth, malloc_state());
  EXPECT_THAT(event.explanation, HasSubstr("768 bytes more"));
}

TEST(SentenceMallocTest, QuestionsAndRefusals) {
  Story story = with_heap();
  EXPECT_THAT(story.brk(0, kMallocGrowth).explanation,
              StartsWith("a question, not a growth: malloc's first sbrk"));
  model::Event refused;
  refused.syscall = "brk";
  refused.arguments = {{.name = "addr", .form = {}, .value = kHeap + 0x21000, .text = {}}};
  refused.break_before = refused.break_after = Address{kHeap};
  story.tell(refused, kMallocGrowth, {});
  EXPECT_THAT(refused.explanation, HasSubstr("refused to move the break"));
}

TEST(SentenceMallocTest, TrimIsExplainedWhereItComesOut) {
  constexpr auto kTrim = "brk@c sbrk@c systrim@c _int_free@c free@c main@p";
  Story story = with_heap(0x100000);
  const auto state = malloc_state(kHeap + 0x1000, 252944);
  const auto event = story.brk(kHeap + 0x100000 - 118784, kTrim, state);
  EXPECT_EQ(event.cause_detail, "free's trim");
  EXPECT_EQ(event.explanation,
            "the top chunk has grown to 252944 bytes, past the trim threshold of 131072; all but "
            "131072 (top pad) + 33 is given back, rounded down to pages = 118784 bytes = 116 KiB");
  const auto other = story.brk(kHeap + 0x1000, kTrim, state);
  EXPECT_THAT(other.explanation, StartsWith("free gave back"));
}

TEST(SentenceMallocTest, MallocTrimHasItsOwnPad) {
  Story story = with_heap(0x100000);
  const auto event = story.brk(kHeap + 0x100000 - 131072, "brk@c systrim@c malloc_trim@c main@p",
                               malloc_state(kHeap + 0x1000, 134832));
  EXPECT_THAT(event.explanation, StartsWith("malloc_trim(0) gives back"));
  EXPECT_THAT(event.explanation, HasSubstr("131072 bytes = 128 KiB"));
}

TEST(SentenceMallocTest, ABlockWithAMappingOfItsOwn) {
  Story story;
  story.next_state = malloc_state(kHeap, 0x1000);
  story.next_request = request(262144, 262160);
  const auto mapped = story.mmap(kBlock, "mmap@c sysmalloc_mmap@c malloc@c main@p");
  EXPECT_EQ(
      mapped.explanation,
      "malloc(262144) needs a 262160-byte chunk, no less than the mmap threshold of 131072, so "
      "it gets a mapping of its own: 262160 + 8, rounded up to pages = 266240 bytes = 260 "
      "KiB");

  story.next_state = malloc_state(kHeap, 0x1000);
  story.next_state->mmap_threshold = Bytes{266240};
  story.next_state->trim_threshold = Bytes{532480};
  const auto freed = story.munmap(kBlock, kFree);
  EXPECT_THAT(freed.explanation, HasSubstr("the mmap threshold is 266240"));
  EXPECT_THAT(freed.explanation, HasSubstr("twice that, 532480"));
}

TEST(SentenceMallocTest, AThresholdThatDidNotMoveIsNotMentioned) {
  Story story;
  story.mmap(kBlock, "mmap@c malloc@c main@p");
  story.next_state = malloc_state(kHeap, 0x1000);
  EXPECT_EQ(story.munmap(kBlock, kFree).explanation,
            "free gives the block's own mapping back: 266240 bytes = 260 KiB");
}

TEST(SentenceMallocTest, AMappingTooLargeToRaiseTheThresholdIsSaidToBe) {
  constexpr AddressRange kLarge = range_of(0x7f0000000000, (40U << 20U) + 0x1000);
  Story story;
  story.mmap(kLarge, "mmap@c malloc@c main@p");
  story.next_state = malloc_state(kHeap, 0x1000);
  EXPECT_THAT(story.munmap(kLarge, kFree).explanation,
              EndsWith("one of more than 32 MiB leaves the mmap threshold where it is, 131072"));
}

TEST(SentenceMallocTest, AnArenaThatGrowsByMmap) {
  constexpr auto kGrowth = "mmap@c sysmalloc@c _int_malloc@c malloc@c main@p";
  Story story = with_heap(0x21000);
  model::Event refused;
  refused.syscall = "brk";
  refused.arguments = {{.name = "addr", .form = {}, .value = kHeap + 0x42000, .text = {}}};
  refused.break_before = refused.break_after = Address{kHeap + 0x21000};
  story.tell(refused, kMallocGrowth, {});
  story.next_state = malloc_state(kHeap, 0x1000);
  const auto first = story.mmap(range_of(0x7f0000000000, 0x100000), kGrowth);
  EXPECT_EQ(first.role, model::Role::kMallocArena);
  EXPECT_EQ(first.mapping_text, "malloc arena, by mmap");
  EXPECT_EQ(first.explanation,
            "malloc needs more, and the break does not move: the arena grows by a mapping "
            "elsewhere, 1048576 bytes = 1 MiB, the least that malloc starts with there");

  // Nothing was refused before this one: a block's own.
  EXPECT_EQ(story.mmap(kBlock, kGrowth).role, model::Role::kMmappedChunk);
  // Nor before this one, where malloc does not move the break at all.
  EXPECT_EQ(story.mmap(kBlock, "mmap@c sysmalloc_mmap_fallback@c sysmalloc@c malloc@c main@p").role,
            model::Role::kMallocArena);

  story.next_state = malloc_state(kHeap, 0x1000);
  story.next_request = request(20000, 20016);
  EXPECT_EQ(story.mmap(range_of(0x7f0000200000, 0x25000), kGrowth).explanation,
            "malloc(20000) needs a 20016-byte chunk, and the break does not move: the arena "
            "grows by a mapping elsewhere, 151552 bytes = 148 KiB");
}

TEST(SentenceMallocTest, AMappingThatItsRequestDoesNotExplainIsOnlyObserved) {
  Story story;
  story.next_state = malloc_state(kHeap, 0x1000);
  story.next_request = request(1000000, 1000016);
  const auto event = story.mmap(kBlock, "mmap@c malloc@c main@p");
  EXPECT_THAT(event.explanation, Not(HasSubstr("rounded up")));
  EXPECT_THAT(event.explanation, HasSubstr("the mmap threshold is 131072 bytes"));
}

TEST(SentenceMallocTest, ReallocMovesPagesNotBytes) {
  Story story;
  story.mmap(kBlock, "mmap@c malloc@c main@p");
  model::Event event;
  event.syscall = "mremap";
  event.arguments = {{.name = "old_size", .form = {}, .value = 0x41000, .text = {}}};
  event.range = range_of(0x7f0000000000, 3002368);
  event.mappings_before = story.process.space->within(kBlock);
  event.malloc_request = request(3000000, 3000016);
  story.tell(event, "mremap@c mremap_chunk@c realloc@c main@p", {});
  EXPECT_THAT(event.explanation, StartsWith("realloc to 3000000 bytes: "));
  EXPECT_THAT(event.explanation, HasSubstr("3000016 (its chunk) + 8"));
}

TEST(SentenceMallocTest, AnArenaIsReservedTrimmedAndGrown) {
  constexpr auto kThread = "mmap@c alloc_new_heap@c tcache_init@c malloc@c run@p start_thread@c";
  constexpr std::uint64_t kReserve = 0x7ffffec00000;
  constexpr std::uint64_t kArena = 0x7ffffc000000 + 0x4000000;
  Story story;
  const auto reserve = story.mmap(range_of(kReserve, 0x8000000), kThread, "", 0, 0x4022);
  EXPECT_THAT(reserve.explanation, HasSubstr("128 MiB are reserved without access"));
  const auto trim = story.munmap(range_of(kReserve, kArena - kReserve), kThread);
  EXPECT_THAT(trim.explanation, HasSubstr("outside of the arena's aligned 64 MiB"));
  story.next_state = malloc_state(kHeap, 0x1000);
  const auto first = story.mprotect(range_of(kArena, 0x21000), 3, kThread);
  EXPECT_EQ(first.explanation,
            "the arena starts with its own tables + 131072 (top pad), rounded up to pages = 135168 "
            "bytes = 132 KiB");
  const auto more = story.mprotect(range_of(kArena + 0x21000, 0xc000), 3, kThread);
  EXPECT_EQ(more.explanation,
            "malloc needs more of the arena: access to the next 49152 bytes = 48 KiB of its "
            "reservation");
  const auto emptied = story.munmap(range_of(kArena, 0x4000000), kFree);
  EXPECT_THAT(emptied.explanation, HasSubstr("has become empty"));
}

TEST(SentenceMallocTest, WhatMallocAdvisesTheKernel) {
  constexpr auto kTrim = "madvise@c mtrim@c malloc_trim@c main@p";
  constexpr auto kHuge = "madvise@c sysmalloc@c _int_malloc@c malloc@c main@p";
  Story story = with_heap(0x200000);
  const auto range = range_of(kHeap, 0x200000);
  EXPECT_EQ(story.madvise(range, kTrim).explanation,
            "malloc_trim lets go of the pages in 2097152 bytes = 2 MiB of free memory; the "
            "addresses stay mapped");
  EXPECT_EQ(story.madvise(range, kHuge, "MADV_HUGEPAGE").explanation,
            "malloc asks for huge pages for 2097152 bytes = 2 MiB: the tunable "
            "glibc.malloc.hugetlb");
  EXPECT_EQ(story.madvise(range, kHuge, "MADV_COLLAPSE").explanation, "");
}

TEST(SentenceMallocTest, HostileNumbersAreOnlyObserved) {
  Story story = with_heap(0x21000);
  auto state = malloc_state(~0ULL - 15, ~0ULL);
  state.top_pad = Bytes{~0ULL};
  const auto event = story.brk(kHeap + 0x22000, kMallocGrowth, state, request(~0ULL, ~0ULL));
  EXPECT_THAT(event.explanation, HasSubstr("4096 bytes = 4 KiB"));
}

}  // namespace
}  // namespace mini::explain
