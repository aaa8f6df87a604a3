// Finding requests: the register and stack values are those seen by a debugger, in glibc 2.36 where
// nothing else is said.
#include <gtest/gtest.h>
#include <vector>

#include "heaps/glibc.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {
namespace {

using Values = std::vector<std::uint64_t>;

model::MallocState state(std::optional<std::uint64_t> top_bytes) {
  model::MallocState result;
  result.glibc_version = "2.36";
  result.top_pad = Bytes{131072};
  result.mmap_threshold = Bytes{131072};
  result.trim_threshold = Bytes{131072};
  if (top_bytes) result.top = Address{0x55555556a430};
  result.top_bytes = Bytes{top_bytes.value_or(0)};
  return result;
}

GrowthEvidence growth(std::uint64_t grown, std::optional<std::uint64_t> top_bytes) {
  return {.kind = GrowthEvidence::Kind::kBreak, .grown = Bytes{grown}, .state = state(top_bytes)};
}

void expect_request(const std::optional<model::MallocRequest>& found, std::uint64_t requested,
                    std::uint64_t chunk) {
  ASSERT_TRUE(found.has_value());
  EXPECT_EQ(found->requested.count, requested);
  EXPECT_EQ(found->chunk.count, chunk);
}

// main → malloc(70001) → _int_malloc → sysmalloc → sbrk: the second growth of a heap.
const Values kGrowthWords = {0x55555559c000, 0x55555557a000, 0x7ffff7fa6c60, 0x11180, 0xfbd0,
                             0x22000,        0x290,          0x29,           0x11171, 0x79,
                             0x1116,         0x1000,         0x111a0,        0x0};

TEST(GlibcRequestTest, FindsThePairThatExplainsTheGrowth) {
  expect_request(find_malloc_request(growth(0x22000, 0xfbd0), {{}, {}, kGrowthWords}), 0x11171,
                 0x11180);
}

TEST(GlibcRequestTest, APairThatDoesNotExplainTheGrowthIsNoRequest) {
  EXPECT_FALSE(find_malloc_request(growth(0x23000, 0xfbd0), {{}, {}, kGrowthWords}).has_value());
}

TEST(GlibcRequestTest, WhatIsLeftInTheTopDoesNotCountInANonContiguousArena) {
  GrowthEvidence evidence = growth(0x22000, 0xfbd0);
  evidence.state.contiguous = false;
  EXPECT_FALSE(find_malloc_request(evidence, {{}, {}, kGrowthWords}).has_value());
  evidence.grown = Bytes{0x32000};
  EXPECT_TRUE(find_malloc_request(evidence, {{}, {}, kGrowthWords}).has_value());
}

TEST(GlibcRequestTest, SeveralRequestsThatFitAreNone) {
  Values words = kGrowthWords;
  words.push_back(0x11173);
  words.push_back(0x11175);
  EXPECT_FALSE(find_malloc_request(growth(0x22000, 0xfbd0), {{}, {}, words}).has_value());
}

TEST(GlibcRequestTest, ReallocsOwnRequestGivesWayToTheCallers) {
  const Values words = {0x11180, 0x11180 - 15, 0x11174};
  expect_request(find_malloc_request(growth(0x22000, 0xfbd0), {{}, {}, words}), 0x11174, 0x11180);
}

TEST(GlibcRequestTest, AMappingOfOneChunk) {
  GrowthEvidence evidence = growth(0x41000, 0x100);
  evidence.kind = GrowthEvidence::Kind::kMapping;
  const Values words = {0x40010, 0x40000, 0x41000, 0x0, 0x7d};
  expect_request(find_malloc_request(evidence, {{}, {}, words}), 0x40000, 0x40010);
}

// main → malloc(1000) → tcache_init → _int_malloc(640) → sysmalloc → sbrk: the first growth.
const Values kFirstWords = {
    0x55555557a000, 0x7ffff7fa6c60, 0x290,          0x0, 0x21000, 0x280, 0x29,          0x27, 0x0,
    0x3e8,          0x7ffff7fa6c60, 0x7fffffffe6c8, 0x0, 0x3e8,   0x3d,  0x7ffff7e6ba4e};
const Values kFirstRegisters = {0x3e8, 0x3d, 0xffffffffffffffb8, 0x7fffffffe6c8, 0, 1};
const Values kFirstCaller = {0x7fffffffe6b8, 1, 0, 0x7fffffffe6c8, 0, 1};

TEST(GlibcRequestTest, TheFirstRequestIsKnownByItsCacheIndex) {
  expect_request(
      find_malloc_request(growth(0x21000, {}), {kFirstRegisters, kFirstCaller, kFirstWords}), 1000,
      1008);
}

TEST(GlibcRequestTest, TheThreadCachesOwnChunkIsNobodysRequest) {
  EXPECT_FALSE(find_malloc_request(growth(0x21000, {}), {{}, {}, kFirstWords}).has_value());
}

TEST(GlibcRequestTest, TheThreadCacheIsNobodysRequestWhateverTheVersion) {
  GrowthEvidence evidence = growth(0x21000, {});
  evidence.state.glibc_version = "";
  EXPECT_FALSE(find_malloc_request(evidence, {{}, {}, kFirstWords}).has_value());
  expect_request(find_malloc_request(evidence, {kFirstRegisters, kFirstCaller, kFirstWords}), 1000,
                 1008);
}

// main → puts → malloc(4096) → tcache_init → _int_malloc(640) → sysmalloc → sbrk in glibc 2.41:
// tcache_init has pushed rbx alone, _int_malloc all six.
TEST(GlibcRequestTest, TheFirstRequestIsKnownByItsCacheIndexInGlibc241) {
  GrowthEvidence evidence = growth(0x21000, {});
  evidence.state.glibc_version = "2.41";
  const Values registers = {0x1000, 0xff, 0xffffffffffffffc0, 0x7ffff7faa030, 0x1, 0x555555557dd8};
  const Values caller = {0x7ffff7fac5c0, 0x1000, 0x0, 0x7ffff7faa030, 0x1, 0x555555557dd8};
  const Values words = {0x7ffff7ed4067,
                        0x7ffff7fabac0,
                        0x290,
                        0x0,
                        0x7ffff7e65c42,
                        0x0,
                        0x7ffff7e66b42,
                        0x7ffff7fabb20,
                        0x21000,
                        0x0,
                        0x0,
                        0x0,
                        0x21000,
                        0x98818cb53001eb00,
                        0x0,
                        0x290,
                        0xffffffffffffffc0,
                        0x280,
                        0x0,
                        0x27,
                        0x7ffff7fabb20,
                        0x7ffff7e67eeb,
                        0x0,
                        0x7ffff7fabac0,
                        0xff,
                        0xffffffffffffffc0,
                        0x7ffff7faa030,
                        0x1,
                        0x555555557dd8,
                        0x7ffff7e67fc3,
                        0x0,
                        0x1000,
                        0x1000,
                        0x7ffff7e6897a,
                        0x0,
                        0x0,
                        0x7ffff7fac5c0,
                        0x1000,
                        0x0};
  expect_request(find_malloc_request(evidence, {registers, caller, words}), 4096, 4112);
}

TEST(GlibcRequestTest, AnIndexThatMallocDidNotPutThereProvesNothing) {
  const Values registers = {0x400, 0x3f, 0, 1};
  const Values words = {0x290, 0x280, 0x400, 0x3f, 0x55};
  const Values caller = {0x7fffffffe6b8, 0x3f, 0, 1};
  EXPECT_FALSE(find_malloc_request(growth(0x21000, {}), {registers, caller, words}).has_value());
  EXPECT_FALSE(find_malloc_request(growth(0x21000, {}), {registers, {}, words}).has_value());
}

TEST(GlibcRequestTest, AnIndexInARegisterFarFromItsRequestIsPushedBesideIt) {
  const Values registers = {0x400, 0, 0x3f, 1};
  const Values caller = {0x7fffffffe6b8, 0, 0, 1};
  const Values apart = {0x290, 0x280, 0x400, 0x55, 0x3f};
  EXPECT_FALSE(find_malloc_request(growth(0x21000, {}), {registers, caller, apart}).has_value());
  const Values pushed = {0x290, 0x280, 0x400, 0x3f, 0x55};
  expect_request(find_malloc_request(growth(0x21000, {}), {registers, caller, pushed}), 1024, 1040);
}

// ls → a constructor → fopen → malloc(472): the caller's 1 and 0 look like a request of 1 byte.
TEST(GlibcRequestTest, OnesAndZerosAreNoRequests) {
  const Values registers = {0x1d8, 0x1c, 0xfffffffffffffed0, 0x7ffff7fa9953, 1, 0};
  const Values caller = {0x7ffff7fa7fe0, 0x7ffff7fa9953, 0x1, 0x7ffff7fa9953, 1, 0};
  const Values words = {0x290, 0x280, 0x7ffff7fa9953, 0x1, 0x0, 0x7ffff7e3d245, 0x1d8, 0x1c};
  expect_request(find_malloc_request(growth(0x21000, {}), {registers, caller, words}), 472, 480);
  const Values others = {0x7ffff7fa7fe0, 0x1c, 0xfffffffffffffed0, 0x7ffff7fa9953, 1, 0};
  EXPECT_FALSE(find_malloc_request(growth(0x21000, {}), {others, caller, words}).has_value());
}

TEST(GlibcRequestTest, AFirstGrowthOfAnotherSizeIsNotTheThreadCaches) {
  EXPECT_FALSE(
      find_malloc_request(growth(0x31000, {}), {kFirstRegisters, kFirstCaller, kFirstWords})
          .has_value());
}

TEST(GlibcRequestTest, WithoutAThreadCacheTheFirstGrowthIsTheRequests) {
  GrowthEvidence evidence = growth(0x21000, {});
  evidence.state.glibc_version = "2.25";
  const Values words = {0x3e8, 0x3f0, 0x21000};
  expect_request(find_malloc_request(evidence, {{}, {}, words}), 1000, 1008);
}

TEST(GlibcRequestTest, HostileValuesAreJustValues) {
  const Values words = {~0ULL, ~0ULL - 15, 1ULL << 63, (1ULL << 63) - 16, 0, 16, 32};
  for (const auto kind : {GrowthEvidence::Kind::kBreak, GrowthEvidence::Kind::kMapping}) {
    for (const std::uint64_t grown : {0ULL, 0x21000ULL, ~0ULL, ~0ULL - 4095}) {
      GrowthEvidence evidence = growth(grown, ~0ULL);
      evidence.kind = kind;
      evidence.state.top_pad = Bytes{~0ULL};
      EXPECT_FALSE(find_malloc_request(evidence, {words, words, words}).has_value());
    }
  }
}

}  // namespace
}  // namespace mini::heaps
