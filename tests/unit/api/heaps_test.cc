// Heaps of a program's own.
#include <cerrno>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <malloc.h>
#include <minimalloc/minimalloc.h>
#include <string>
#include <thread>
#include <vector>

namespace mini::api {
namespace {

// A number that the compiler does not know, and so does not warn of.
std::size_t opaque(std::size_t number) {
  volatile std::size_t hidden = number;
  return hidden;
}

class HeapsTest : public testing::Test {
 protected:
  ~HeapsTest() override { minimalloc_heap_destroy(heap_); }

  minimalloc_heap_stats stats(const minimalloc_heap* heap) const {
    minimalloc_heap_stats out{};
    out.struct_size = sizeof out;
    EXPECT_EQ(minimalloc_heap_stats_read(heap, &out), 0);
    return out;
  }

  minimalloc_heap* heap_ = minimalloc_heap_create("test");
};

TEST_F(HeapsTest, BlocksOfAllSizesCanBeWrittenAndFreedByFree) {
  for (std::size_t size = 0; size < 5'000'000; size = size * 3 / 2 + 1) {
    auto* const block = static_cast<char*>(minimalloc_heap_malloc(heap_, size));
    ASSERT_NE(block, nullptr);
    std::memset(block, 0x5a, size);
    EXPECT_GE(malloc_usable_size(block), size);
    EXPECT_EQ(minimalloc_heap_of(block), heap_);
    std::free(block);
  }
  EXPECT_EQ(stats(heap_).live_count, 0U);
}

TEST_F(HeapsTest, ReallocKeepsTheHeapAndTheContents) {
  auto* block = static_cast<char*>(minimalloc_heap_malloc(heap_, 10));
  std::strcpy(block, "contents");
  for (const std::size_t size : {100U, 5000U, 100'000U, 20'000'000U, 40'000'000U, 3000U, 20U}) {
    block = static_cast<char*>(std::realloc(block, size));
    ASSERT_NE(block, nullptr);
    EXPECT_STREQ(block, "contents");
    EXPECT_EQ(minimalloc_heap_of(block), heap_) << size;
    EXPECT_EQ(stats(heap_).live_count, 1U);
  }
  EXPECT_EQ(minimalloc_heap_realloc(nullptr, block, 0), nullptr);
  EXPECT_EQ(stats(heap_).live_count, 0U);
}

TEST_F(HeapsTest, CallocIsZeroAlsoWhereBlocksAreUsedAgain) {
  for (const std::size_t size : {24U, 800U, 20'000U, 300'000U, 5'000'000U}) {
    for (int round = 0; round < 3; ++round) {
      auto* const block = static_cast<unsigned char*>(minimalloc_heap_calloc(heap_, size, 1));
      ASSERT_NE(block, nullptr);
      for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(block[i], 0);
      std::memset(block, 0xff, size);
      std::free(block);
    }
  }
}

TEST_F(HeapsTest, AlignedBlocksAreAligned) {
  for (std::size_t alignment = 1; alignment <= 4U << 20; alignment *= 2) {
    for (const std::size_t size : {1U, 100U, 5000U, 100'000U}) {
      void* const block = minimalloc_heap_aligned_alloc(heap_, alignment, size);
      ASSERT_NE(block, nullptr);
      EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
      EXPECT_EQ(minimalloc_heap_of(block), heap_);
      minimalloc_free_sized(block, size, alignment);
    }
  }
  EXPECT_EQ(stats(heap_).live_count, 0U);
  errno = 0;
  EXPECT_EQ(minimalloc_heap_aligned_alloc(heap_, 48, 100), nullptr);
  EXPECT_EQ(errno, EINVAL);
}

TEST_F(HeapsTest, WhatIsTooLargeFailsWithEnomem) {
  errno = 0;
  EXPECT_EQ(minimalloc_heap_malloc(heap_, opaque(PTRDIFF_MAX)), nullptr);
  EXPECT_EQ(errno, ENOMEM);
  errno = 0;
  EXPECT_EQ(minimalloc_heap_calloc(heap_, opaque(SIZE_MAX / 2), 3), nullptr);
  EXPECT_EQ(errno, ENOMEM);
}

TEST_F(HeapsTest, AlignmentsThatAreTooStrictFailWithEnomem) {
  for (minimalloc_heap* const heap : {heap_, static_cast<minimalloc_heap*>(nullptr)}) {
    for (unsigned log2 = 37; log2 < 64; ++log2) {
      errno = 0;
      EXPECT_EQ(minimalloc_heap_aligned_alloc(heap, std::size_t{1} << log2, 100), nullptr) << log2;
      EXPECT_EQ(errno, ENOMEM);
    }
  }
}

TEST_F(HeapsTest, ANullHeapIsMallocs) {
  void* const block = minimalloc_heap_malloc(nullptr, 100);
  EXPECT_EQ(minimalloc_heap_of(block), nullptr);
  EXPECT_EQ(minimalloc_heap_id(nullptr), 0U);
  EXPECT_STREQ(minimalloc_heap_name(nullptr), "");
  std::free(block);
  void* const aligned = minimalloc_heap_aligned_alloc(nullptr, 256, 100);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(aligned) % 256, 0U);
  minimalloc_free(aligned);
  minimalloc_heap_destroy(nullptr);
}

TEST_F(HeapsTest, NamesAreKeptCutAndFound) {
  EXPECT_STREQ(minimalloc_heap_name(heap_), "test");
  EXPECT_EQ(minimalloc_heap_find("test"), heap_);
  EXPECT_EQ(minimalloc_heap_find("tes"), nullptr);
  const std::string long_name(100, 'x');
  minimalloc_heap* const other = minimalloc_heap_create(long_name.c_str());
  EXPECT_EQ(minimalloc_heap_name(other), std::string(31, 'x'));
  EXPECT_EQ(minimalloc_heap_find(long_name.c_str()), other);
  minimalloc_heap_destroy(other);
  EXPECT_EQ(minimalloc_heap_find(long_name.c_str()), nullptr);
  minimalloc_heap* const nameless = minimalloc_heap_create(nullptr);
  EXPECT_STREQ(minimalloc_heap_name(nameless), "");
  EXPECT_EQ(minimalloc_heap_find(nullptr), nameless);
  minimalloc_heap_destroy(nameless);
}

TEST_F(HeapsTest, DestroyingFreesEverythingAtOnce) {
  minimalloc_stats before{};
  before.struct_size = sizeof before;
  minimalloc_stats_read(&before);
  for (int round = 0; round < 20; ++round) {
    minimalloc_heap* const heap = minimalloc_heap_create("short-lived");
    for (std::size_t i = 0; i < 2000; ++i) minimalloc_heap_malloc(heap, i * 11 % 60'000);
    EXPECT_EQ(stats(heap).live_count, 2000U);
    EXPECT_GE(stats(heap).pages_bytes, stats(heap).live_bytes);
    minimalloc_heap_destroy(heap);
  }
  minimalloc_stats after = before;
  minimalloc_stats_read(&after);
  EXPECT_EQ(after.live_bytes, before.live_bytes);
  EXPECT_EQ(after.heap_count, before.heap_count);
}

TEST_F(HeapsTest, NumbersAreUsedAgain) {
  std::vector<minimalloc_heap*> heaps;
  for (int i = 0; i < 1000; ++i) heaps.push_back(minimalloc_heap_create("many"));
  for (minimalloc_heap* heap : heaps) minimalloc_heap_destroy(heap);
  minimalloc_heap* const heap = minimalloc_heap_create("next");
  EXPECT_LE(minimalloc_heap_id(heap), 1001U);
  minimalloc_heap_destroy(heap);
}

TEST_F(HeapsTest, ThreadsMayShareAHeap) {
  std::vector<std::thread> threads;
  for (unsigned t = 0; t < 4; ++t) {
    threads.emplace_back([this, t] {
      std::vector<void*> blocks;
      for (std::size_t i = 0; i < 3000; ++i) {
        blocks.push_back(minimalloc_heap_malloc(heap_, (i * 7 + t) % 4000));
        if (i % 2 == 1) std::free(std::exchange(blocks[i / 2], nullptr));
      }
      for (void* block : blocks) std::free(block);
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(stats(heap_).live_count, 0U);
}

TEST_F(HeapsTest, ADoubleFreeIsCaughtAtOnce) {
  EXPECT_DEATH(
      {
        minimalloc_heap_malloc(heap_, 100);  // keeps the slab
        void* const block = minimalloc_heap_malloc(heap_, 100);
        std::free(block);
        std::free(block);
      },
      "minimalloc: double free of 0x");
}

}  // namespace
}  // namespace mini::api
