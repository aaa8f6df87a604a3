// The C++ headers.
#include <cstdint>
#include <gtest/gtest.h>
#include <list>
#include <map>
#include <memory_resource>
#include <minimalloc/allocator.hpp>
#include <minimalloc/memory_resource.hpp>
#include <string>
#include <vector>

namespace mini::api {
namespace {

std::uint64_t live_count(const minimalloc_heap* heap) {
  minimalloc_heap_stats stats{};
  stats.struct_size = sizeof stats;
  EXPECT_EQ(minimalloc_heap_stats_read(heap, &stats), 0);
  return stats.live_count;
}

TEST(MemoryResource, ContainersLiveInItsHeap) {
  minimalloc::memory_resource resource("containers");
  {
    std::pmr::map<int, std::pmr::string> words(&resource);
    for (int i = 0; i < 100; ++i) words[i] = std::string(100, 'x');
    EXPECT_EQ(live_count(resource.heap()), 200U);
  }
  EXPECT_EQ(live_count(resource.heap()), 0U);
}

TEST(MemoryResource, WhatWasNotFreedGoesWithIt) {
  minimalloc_heap* const other = minimalloc_heap_create("other");
  {
    minimalloc::memory_resource resource("abandoned");
    EXPECT_NE(resource.allocate(1000), nullptr);
    minimalloc::memory_resource borrowed(other);
    EXPECT_NE(borrowed.allocate(1000), nullptr);
  }
  EXPECT_EQ(minimalloc_heap_find("abandoned"), nullptr);
  EXPECT_EQ(live_count(other), 1U);
  minimalloc_heap_destroy(other);
}

TEST(MemoryResource, HonoursAlignment) {
  minimalloc::memory_resource resource("aligned");
  for (std::size_t alignment = 1; alignment <= 1 << 16; alignment *= 2) {
    void* const block = resource.allocate(24, alignment);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(block) % alignment, 0U);
    resource.deallocate(block, 24, alignment);
  }
}

TEST(MemoryResource, EqualsOnlyWhatSharesItsHeap) {
  minimalloc::memory_resource one("one"), two("two"), same(one.heap()), malloc_a, malloc_b,
      null(nullptr);
  EXPECT_TRUE(one == same);
  EXPECT_FALSE(one == two);
  EXPECT_TRUE(malloc_a == malloc_b);
  EXPECT_TRUE(malloc_a == null);
  EXPECT_FALSE(malloc_a == one);
  EXPECT_FALSE(malloc_a == *std::pmr::new_delete_resource());
}

TEST(MemoryResource, ThrowsWhereThereIsNoMemory) {
  minimalloc::memory_resource resource("small");
  EXPECT_THROW(static_cast<void>(resource.allocate(std::size_t{1} << 62)), std::bad_alloc);
}

TEST(Allocator, ContainersLiveInTheHeap) {
  minimalloc::memory_resource owner("stl");
  {
    std::list<std::string, minimalloc::allocator<std::string>> words(owner.heap());
    for (int i = 0; i < 50; ++i) words.emplace_back("word");
    EXPECT_GE(live_count(owner.heap()), 50U);
    auto moved = std::move(words);
    EXPECT_EQ(moved.get_allocator().heap(), owner.heap());
  }
  EXPECT_EQ(live_count(owner.heap()), 0U);
}

TEST(Allocator, OfOverAlignedTypesIsAligned) {
  struct alignas(512) Wide {
    char bytes[512];
  };
  std::vector<Wide, minimalloc::allocator<Wide>> values(10);
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(values.data()) % 512, 0U);
}

TEST(Allocator, RefusesLengthsThatOverflow) {
  minimalloc::allocator<long> allocator;
  EXPECT_THROW(static_cast<void>(allocator.allocate(std::size_t{1} << 61)),
               std::bad_array_new_length);
}

}  // namespace
}  // namespace mini::api
