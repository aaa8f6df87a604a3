// The figures add up, and to what the kernel says.
#include <cerrno>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <minimalloc/layout.h>
#include <minimalloc/minimalloc.h>
#include <string>
#include <thread>
#include <vector>

#include "in_child.h"

namespace mini::api {
namespace {

minimalloc_stats read_stats() {
  minimalloc_stats stats{};
  stats.struct_size = sizeof stats;
  EXPECT_EQ(minimalloc_stats_read(&stats), 0);
  return stats;
}

void expect_sums(const minimalloc_stats& s) {
  EXPECT_EQ(s.mapped_bytes, s.heap_bytes + s.tables_bytes + s.fixed_bytes);
  EXPECT_EQ(s.heap_bytes, s.used_pages_bytes + s.free_pages_bytes);
  EXPECT_LE(s.resident_free_bytes, s.free_pages_bytes);
  EXPECT_EQ(s.used_pages_bytes + s.fixed_bytes, s.live_bytes + s.cached_bytes + s.depot_bytes +
                                                    s.slab_free_bytes + s.slab_rest_bytes +
                                                    s.fixed_rest_bytes);
}

TEST(Stats, AddUpWhateverTheProgramDoes) {
  std::vector<void*> blocks;
  for (std::size_t i = 0; i < 3000; ++i) {
    blocks.push_back(std::malloc(i * 37 % 70000));
    if (i % 3 == 0) std::free(std::exchange(blocks[i / 2], nullptr));
    if (i % 500 == 0) expect_sums(read_stats());
  }
  for (void* block : blocks) std::free(block);
  expect_sums(read_stats());
}

TEST(Stats, AddUpAfterThreadsHandedBlocksOn) {
  std::vector<void*> blocks(20000);
  for (int round = 0; round < 3; ++round) {
    std::thread([&] {
      for (void*& block : blocks) block = std::malloc(100);
    }).join();
    std::thread([&] {
      for (void*& block : blocks) std::free(block);
    }).join();
  }
  expect_sums(read_stats());
}

TEST(Stats, CountTheProgramsBlocksExactly) {
  // Without the first blocks of the process, which are as large as what was asked for.
  std::vector<void*> first(1000);
  for (void*& block : first) block = std::malloc(200);
  std::vector<void*> blocks(500);
  const minimalloc_stats before = read_stats();
  for (void*& block : blocks) block = std::malloc(200);
  const minimalloc_stats after = read_stats();
  EXPECT_EQ(after.live_count, before.live_count + 500);
  EXPECT_EQ(after.live_bytes, before.live_bytes + 500 * minimalloc_good_size(200));
  void* const large = std::malloc(10'000'000);
  const minimalloc_stats with_large = read_stats();
  EXPECT_EQ(with_large.large_count, after.large_count + 1);
  EXPECT_EQ(with_large.large_bytes, after.large_bytes + minimalloc_good_size(10'000'000));
  std::free(large);
  for (void* block : blocks) std::free(block);
  for (void* block : first) std::free(block);
}

template <typename T>
T at(minimalloc_address where) {
  return *static_cast<const T*>(where);
}

// What the kernel has mapped where the allocator's window is.
std::uint64_t mapped_bytes(std::uint64_t begin, std::uint64_t end) {
  std::ifstream maps("/proc/self/maps");
  std::uint64_t sum = 0;
  for (std::string line; std::getline(maps, line);) {
    unsigned long long from = 0, to = 0;
    if (std::sscanf(line.c_str(), "%llx-%llx", &from, &to) != 2) continue;
    if (from >= begin && to <= end) sum += to - from;
  }
  return sum;
}

TEST(Stats, AgreeWithTheKernelOnAddressSpace) {
  std::vector<void*> blocks;
  for (int i = 0; i < 100; ++i) blocks.push_back(std::malloc(500'000));
  const minimalloc_layout_table& layout = minimalloc_layout;
  const auto end = at<std::uint64_t>(layout.heap_begin) + at<std::uint64_t>(layout.heap_bytes);
  // Records of up to 4 GiB are the first part of the window, extents the second.
  const auto begin = at<std::uint64_t>(layout.extents) - (std::uint64_t{4} << 30);
  const std::uint64_t mapped = mapped_bytes(begin, end);
  const minimalloc_stats stats = read_stats();
  EXPECT_EQ(mapped, stats.heap_bytes + stats.tables_bytes);
  for (void* block : blocks) std::free(block);
}

TEST(Stats, AnOlderProgramGetsItsPart) {
  struct Older {
    std::size_t struct_size;
    std::uint64_t mapped_bytes, heap_bytes, guard;
  } older{sizeof older - 8, 0, 0, 42};
  EXPECT_EQ(minimalloc_stats_read(reinterpret_cast<minimalloc_stats*>(&older)), 0);
  EXPECT_EQ(older.struct_size, sizeof older - 8);
  EXPECT_GT(older.mapped_bytes, older.heap_bytes);
  EXPECT_EQ(older.guard, 42U);
}

TEST(Stats, ANewerProgramGetsZerosForWhatIsUnknown) {
  struct Newer {
    minimalloc_stats known;
    std::uint64_t added;
  } newer{};
  newer.added = 42;
  newer.known.struct_size = sizeof newer;
  EXPECT_EQ(minimalloc_stats_read(&newer.known), 0);
  EXPECT_GT(newer.known.live_count, 0U);
  EXPECT_EQ(newer.added, 0U);
}

TEST(Stats, ASizeThatWasNeverSetIsRefused) {
  minimalloc_stats stats{};
  stats.live_count = 42;
  EXPECT_EQ(minimalloc_stats_read(&stats), EINVAL);
  stats.struct_size = 0xdead'beef'dead'beef;
  EXPECT_EQ(minimalloc_stats_read(&stats), EINVAL);
  EXPECT_EQ(stats.live_count, 42U);
}

TEST(Stats, CountThreadsAndHeaps) {
  const minimalloc_stats before = read_stats();
  minimalloc_heap* const heap = minimalloc_heap_create("one more");
  std::thread([&] {
    std::free(std::malloc(50'000));
    for (int i = 0; i < 100; ++i) std::free(std::malloc(100));
    EXPECT_EQ(read_stats().thread_count, before.thread_count + 1);
  }).join();
  EXPECT_EQ(read_stats().heap_count, before.heap_count + 1);
  minimalloc_heap_destroy(heap);
  EXPECT_EQ(read_stats().heap_count, before.heap_count);
}

TEST(Stats, GoodSizesAreWhatBlocksHave) {
  // Some of each size first: the first blocks of a process are not from slabs.
  for (std::size_t size = 1; size < 3'000'000; size += size / 3 + 1) {
    const std::size_t good = minimalloc_good_size(size);
    EXPECT_GE(good, size);
    EXPECT_EQ(minimalloc_good_size(good), good);
    std::vector<void*> blocks(40);
    for (void*& block : blocks) block = minimalloc_heap_malloc(nullptr, size);
    minimalloc_block last{};
    last.address = blocks.back();
    minimalloc_walk(
        nullptr,
        [](const minimalloc_block* block, void* wanted) {
          auto* const found = static_cast<minimalloc_block*>(wanted);
          if (block->address != found->address) return 0;
          *found = *block;
          return 1;
        },
        &last);
    EXPECT_EQ(last.usable_bytes, good) << size;
    for (void* block : blocks) minimalloc_free(block);
  }
  EXPECT_EQ(minimalloc_good_size(0), minimalloc_good_size(1));
  EXPECT_EQ(minimalloc_good_size(~std::size_t{0}), 0U);
}

TEST(Stats, APurgeGivesBackWhatIsFree) {
  std::vector<void*> blocks(4000);
  for (void*& block : blocks) block = std::malloc(2000);
  for (void* block : blocks) std::free(block);
  minimalloc_purge();
  const minimalloc_stats stats = read_stats();
  EXPECT_EQ(stats.resident_free_bytes, 0U);
  EXPECT_EQ(stats.depot_count, 0U);
}

TEST(Stats, TheTableGoesToStandardError) {
  const std::string text = error_output_of([] { minimalloc_stats_print(); });
  EXPECT_NE(text.find("minimalloc 0.1.0: process"), std::string::npos) << text;
  EXPECT_NE(text.find("minimalloc's address space"), std::string::npos) << text;
}

}  // namespace
}  // namespace mini::api
