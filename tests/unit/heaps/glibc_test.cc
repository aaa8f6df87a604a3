// Locating and reading glibc's malloc in a fake target.
#include "heaps/glibc.h"

#include <gtest/gtest.h>

#include "fake_glibc.h"

namespace mini::heaps {
namespace {

GlibcHints hints(std::string version = "2.36") {
  GlibcHints result;
  result.data = {FakeGlibc::kData, FakeGlibc::kData + Bytes{FakeGlibc::kDataSize}};
  result.version = std::move(version);
  return result;
}

TEST(GlibcTest, FindsTheArenaAndTheParametersByTheirStructure) {
  const FakeGlibc libc;
  const auto found = locate_glibc(libc.memory, hints());
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->main_arena, FakeGlibc::kArena);
  EXPECT_EQ(found->mp, FakeGlibc::kParameters);
  EXPECT_EQ(found->version, "2.36");
}

TEST(GlibcTest, FindsEveryLayoutWithoutKnowingTheVersion) {
  for (const GlibcLayout& layout : glibc_layouts()) {
    const FakeGlibc libc(layout);
    const auto found = locate_glibc(libc.memory, hints(""));
    ASSERT_TRUE(found.has_value()) << layout.first_minor;
    EXPECT_EQ(found->main_arena, FakeGlibc::kArena);
    EXPECT_EQ(found->mp, FakeGlibc::kParameters);
  }
}

TEST(GlibcTest, TheNewestLayoutIsTakenByItsVersionToo) {
  const FakeGlibc libc(glibc_layouts().back());
  const auto found = locate_glibc(libc.memory, hints("2.43"));
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->main_arena, FakeGlibc::kArena);
  EXPECT_FALSE(layout_covers(glibc_layouts().back(), "2.42"));
}

TEST(GlibcTest, ABinWithChunksThatLinkBackIsStillABin) {
  FakeGlibc libc;
  libc.fill_bin(5, FakeGlibc::kHeap + Bytes{0x400});
  EXPECT_TRUE(locate_glibc(libc.memory, hints()).has_value());
}

TEST(GlibcTest, ADamagedBinIsStillABinButManyAreNone) {
  FakeGlibc libc;
  for (std::size_t i = 0; i < 3; ++i) {
    EXPECT_TRUE(locate_glibc(libc.memory, hints()).has_value()) << i;
    const Address chunk = FakeGlibc::kHeap + Bytes{0x290 + i * 0x100};
    libc.fill_bin(4 + i, chunk);
    libc.memory.write(chunk + Bytes{16}, 0x4141414141414141);
    libc.memory.write(chunk + Bytes{24}, 0x4141414141414141);
  }
  EXPECT_FALSE(locate_glibc(libc.memory, hints()).has_value());
}

TEST(GlibcTest, OneBinMayBeJustBeingLinked) {
  FakeGlibc libc;
  const Address chunk = FakeGlibc::kHeap + Bytes{0x290};
  libc.fill_bin(4, chunk);
  libc.memory.write(libc.link(4), libc.bin(4).value);
  EXPECT_TRUE(locate_glibc(libc.memory, hints()).has_value());
  libc.fill_bin(5, chunk + Bytes{0x100});
  libc.memory.write(libc.link(5) + Bytes{8}, libc.bin(5).value);
  EXPECT_FALSE(locate_glibc(libc.memory, hints()).has_value());
}

/// A program that runs: whenever one of its chunks is read, that has just left its bin.
class ChunksLeave final : public MemoryReader {
 public:
  explicit ChunksLeave(FakeGlibc& libc) : libc_(libc) {}
  std::size_t read(Address from, std::span<std::byte> out) const override {
    for (std::size_t i = 0; i < kBinsCount && out.size() == 8; ++i) {
      const Address chunk = chunk_of(i);
      if (from < chunk || from >= chunk + Bytes{32}) continue;
      for (const Bytes at : {Bytes{0}, Bytes{8}}) {
        libc_.memory.write(libc_.link(i) + at, libc_.bin(i).value);
        libc_.memory.write(chunk + Bytes{16} + at, 0);
      }
    }
    return libc_.memory.read(from, out);
  }
  static Address chunk_of(std::size_t bin) { return FakeGlibc::kHeap + Bytes{0x290 + bin * 0x100}; }

 private:
  FakeGlibc& libc_;
};

TEST(GlibcTest, ChunksThatLeaveMeanwhileAreNoDamage) {
  FakeGlibc libc;
  for (std::size_t i = 0; i < 9; ++i) libc.fill_bin(i, ChunksLeave::chunk_of(i));
  EXPECT_TRUE(locate_glibc(ChunksLeave(libc), hints()).has_value());
}

TEST(GlibcTest, ARingThroughAnotherArenaCloses) {
  FakeGlibc libc;
  const Address other = FakeGlibc::kHeap + Bytes{0x30};
  libc.memory.write(FakeGlibc::kArena + Bytes{libc.layout.next}, other.value);
  libc.memory.write(other + Bytes{libc.layout.next}, FakeGlibc::kArena.value);
  EXPECT_TRUE(locate_glibc(libc.memory, hints()).has_value());
}

// As MALLOC_ARENA_MAX allows them, and a program of so many threads has.
TEST(GlibcTest, ARingThroughThousandsOfArenasCloses) {
  FakeGlibc libc;
  Address at = FakeGlibc::kArena;
  for (std::uint64_t i = 0; i < 8000; ++i) {
    const Address next = FakeGlibc::kHeap + Bytes{16 * i};
    libc.memory.write(at + Bytes{libc.layout.next}, next.value);
    at = next;
  }
  libc.memory.write(at + Bytes{libc.layout.next}, FakeGlibc::kArena.value);
  EXPECT_TRUE(locate_glibc(libc.memory, hints()).has_value());
}

TEST(GlibcTest, ARingThatNeverClosesEndsTheSearch) {
  FakeGlibc libc;
  const Address other = FakeGlibc::kHeap + Bytes{0x30};
  libc.memory.write(FakeGlibc::kArena + Bytes{libc.layout.next}, other.value);
  libc.memory.write(other + Bytes{libc.layout.next}, other.value);
  EXPECT_FALSE(locate_glibc(libc.memory, hints()).has_value());
}

TEST(GlibcTest, UnusedMallocIsFoundBySymbolOnly) {
  FakeGlibc libc;
  for (std::size_t i = 0; i < kBinsCount; ++i) {
    libc.memory.write(libc.link(i), 0);
    libc.memory.write(libc.link(i) + Bytes{8}, 0);
  }
  libc.memory.write(FakeGlibc::kArena + Bytes{libc.layout.top}, 0);
  EXPECT_FALSE(locate_glibc(libc.memory, hints()).has_value());
  GlibcHints with_symbols = hints();
  with_symbols.main_arena = FakeGlibc::kArena;
  with_symbols.mp = FakeGlibc::kParameters;
  const auto found = locate_glibc(libc.memory, with_symbols);
  ASSERT_TRUE(found.has_value());
  const auto state = read_malloc_state(libc.memory, *found);
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->top, std::nullopt);
}

TEST(GlibcTest, ASymbolThatPointsElsewhereIsNotBelieved) {
  const FakeGlibc libc;
  GlibcHints wrong_arena = hints();
  wrong_arena.main_arena = FakeGlibc::kArena + Bytes{8};
  EXPECT_FALSE(locate_glibc(libc.memory, wrong_arena).has_value());
  GlibcHints wrong_parameters = hints();
  wrong_parameters.mp = FakeGlibc::kHeap;
  EXPECT_FALSE(locate_glibc(libc.memory, wrong_parameters).has_value());
}

TEST(GlibcTest, NothingIsFoundInNothing) {
  FakeMemory memory;
  EXPECT_FALSE(locate_glibc(memory, hints()).has_value());
  memory.add(FakeGlibc::kData, FakeGlibc::kDataSize);
  EXPECT_FALSE(locate_glibc(memory, hints()).has_value());
  GlibcHints backward;
  backward.data = {Address{0x2000}, Address{0x1000}};
  EXPECT_FALSE(locate_glibc(memory, backward).has_value());
}

TEST(GlibcTest, ReadsAnEmptyArena) {
  const FakeGlibc libc;
  const auto state = read_malloc_state(libc.memory, *locate_glibc(libc.memory, hints()));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->top, std::nullopt);
  EXPECT_EQ(state->top_bytes, Bytes{});
  EXPECT_EQ(state->top_pad, Bytes{131072});
  EXPECT_EQ(state->mmap_threshold, Bytes{131072});
  EXPECT_EQ(state->trim_threshold, Bytes{131072});
  EXPECT_TRUE(state->contiguous);
  EXPECT_EQ(state->glibc_version, "2.36");
}

TEST(GlibcTest, ReadsTheTopChunkWithoutItsFlags) {
  FakeGlibc libc;
  const Address top = FakeGlibc::kHeap + Bytes{0x290};
  libc.set_top(top, 0x20d71);
  libc.memory.write_int(FakeGlibc::kArena + Bytes{kFlagsOffset}, kNonContiguousFlag);
  const auto state = read_malloc_state(libc.memory, *locate_glibc(libc.memory, hints()));
  ASSERT_TRUE(state.has_value());
  EXPECT_EQ(state->top, top);
  EXPECT_EQ(state->top_bytes, Bytes{0x20d70});
  EXPECT_FALSE(state->contiguous);
}

TEST(GlibcTest, ATopThatCannotBeOneGivesNoSize) {
  FakeGlibc libc;
  const auto found = locate_glibc(libc.memory, hints());
  const Address top = FakeGlibc::kHeap + Bytes{0x290};
  libc.set_top(top, 0x20d70);  // the chunk before it is said to be free
  EXPECT_EQ(read_malloc_state(libc.memory, *found)->top_bytes, std::nullopt);
  libc.set_top(top, ~0ULL);  // past the end of the address space
  EXPECT_EQ(read_malloc_state(libc.memory, *found)->top_bytes, std::nullopt);
  libc.set_top(top + Bytes{8}, 0x101);
  EXPECT_FALSE(read_malloc_state(libc.memory, *found).has_value()) << "misaligned";
}

TEST(GlibcTest, FindsTheVersionInTheBannerEvenAcrossWindows) {
  for (const std::uint64_t offset : {0x10ULL, 0xfff0ULL, 0x17ff8ULL}) {
    FakeMemory memory;
    const Address begin{0x7000};
    memory.add(begin, 0x20000);
    memory.write_text(begin + Bytes{offset},
                      "GNU C Library (Debian GLIBC 2.36-9) stable release version 2.36.\n");
    EXPECT_EQ(find_glibc_version(memory, {begin, begin + Bytes{0x20000}}), "2.36") << offset;
  }
}

TEST(GlibcTest, NoBannerIsNoVersion) {
  FakeMemory memory;
  const Address begin{0x7000};
  memory.add(begin, 0x1000);
  memory.write_text(begin, "GNU C Library, stable");
  EXPECT_EQ(find_glibc_version(memory, {begin, begin + Bytes{0x20000}}), "");
  EXPECT_EQ(find_glibc_version(memory, {begin, begin}), "");
}

}  // namespace
}  // namespace mini::heaps
