#include "kernel/memory_snapshot.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <numeric>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "base/clock.h"
#include "kernel/process_memory.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kSize = 40 << 20;  // enough for several threads

AddressRange range_of(const char* begin, std::size_t size) {
  const Address at{reinterpret_cast<std::uintptr_t>(begin)};
  return {at, at + Bytes{size}};
}

// This process is the one that is read: it changes its memory behind the snapshot's back.
class MemorySnapshotTest : public testing::Test {
 protected:
  void SetUp() override {
    void* memory =
        ::mmap(nullptr, kSize, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(memory, MAP_FAILED);
    memory_ = static_cast<char*>(memory);
    for (std::size_t page = 0; page < kSize / kPage; ++page) {
      std::memcpy(memory_ + page * kPage, &page, sizeof page);
    }
  }
  void TearDown() override { ::munmap(memory_, kSize); }

  std::size_t page_number(const MemorySnapshot& snapshot, std::size_t page) const {
    return snapshot.read_object<std::size_t>(range_of(memory_ + page * kPage, kPage).begin)
        .value_or(SIZE_MAX);
  }

  char* memory_ = nullptr;
  ProcessMemory live_{::getpid()};
};

TEST_F(MemorySnapshotTest, KeepsWhatWasThere) {
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_, kSize)};
  snapshot.prepare(ranges);
  std::memset(memory_ + 7 * kPage, 1, kPage);  // after the copy that does not matter
  EXPECT_EQ(snapshot.copy(ranges, {}), Bytes{kSize});
  std::memset(memory_, 0xff, kSize);
  EXPECT_EQ(page_number(snapshot, 7), 0x0101010101010101U);
  for (std::size_t page = 8; page < kSize / kPage; ++page) {
    ASSERT_EQ(page_number(snapshot, page), page);
  }
}

TEST_F(MemorySnapshotTest, ReadsAcrossPiecesAndOnIntoWhatWasNotCopied) {
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_ + kPage, 2 << 20),
                                            range_of(memory_ + (4 << 20), kPage)};
  snapshot.prepare({});  // too little room was made ready: it is taken later
  EXPECT_EQ(snapshot.copy(ranges, {}), Bytes{(2 << 20) + kPage});
  std::memset(memory_, 0xff, kSize);
  std::vector<std::byte> bytes(3 << 20);
  ASSERT_EQ(snapshot.read(range_of(memory_ + kPage, 0).begin, bytes), bytes.size());
  std::size_t first = 0;
  std::size_t last = 0;
  std::memcpy(&first, bytes.data(), sizeof first);
  std::memcpy(&last, bytes.data() + (2 << 20) - kPage, sizeof last);
  EXPECT_EQ(first, 1U);
  EXPECT_EQ(last, (2U << 20) / kPage);
  EXPECT_EQ(bytes[2 << 20], std::byte{0xff});
  EXPECT_EQ(page_number(snapshot, (4 << 20) / kPage), (4U << 20) / kPage);
  EXPECT_EQ(page_number(snapshot, 0), SIZE_MAX);
}

TEST_F(MemorySnapshotTest, StopsAtItsDeadline) {
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_, kSize)};
  snapshot.prepare(ranges);
  EXPECT_EQ(snapshot.copy(ranges, monotonic_ns() - 1), Bytes{0});
  std::memset(memory_ + kPage, 2, kPage);
  EXPECT_EQ(page_number(snapshot, 1), 0x0202020202020202U);  // as it is now
}

TEST_F(MemorySnapshotTest, AnswersAsBeforeWhatWasReadWhileReadsWereKept) {
  MemorySnapshot snapshot(::getpid(), live_);
  const Address gone = range_of(memory_ + kSize - kPage, 0).begin;
  std::vector<std::byte> bytes(2 * kPage);
  snapshot.begin_keeping();
  EXPECT_EQ(page_number(snapshot, 3), 3U);
  ASSERT_EQ(::munmap(memory_ + kSize - kPage, kPage), 0);
  EXPECT_EQ(snapshot.read(gone - Bytes{kPage}, bytes), kPage);
  snapshot.end_keeping();
  std::memset(memory_, 0xff, kSize - kPage);
  EXPECT_EQ(page_number(snapshot, 3), 3U);
  EXPECT_EQ(page_number(snapshot, 4), SIZE_MAX);  // was not asked
  EXPECT_EQ(snapshot.read(gone - Bytes{kPage}, bytes), kPage);
  EXPECT_NE(bytes[0], std::byte{0xff});
  EXPECT_EQ(snapshot.kept(), Bytes{sizeof(std::size_t) + kPage});
}

TEST_F(MemorySnapshotTest, ForgetsWhatItHadWhenItKeepsAnew) {
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_, kPage)};
  snapshot.begin_keeping();
  EXPECT_EQ(page_number(snapshot, 3), 3U);
  snapshot.end_keeping();
  EXPECT_EQ(snapshot.copy(ranges, {}), Bytes{kPage});
  std::memset(memory_, 1, 4 * kPage);
  EXPECT_EQ(page_number(snapshot, 0), 0U);
  snapshot.begin_keeping();
  EXPECT_EQ(page_number(snapshot, 0), 0x0101010101010101U);
  EXPECT_EQ(page_number(snapshot, 3), 0x0101010101010101U);
}

TEST_F(MemorySnapshotTest, WhatCannotBeReadIsLeftOut) {
  ASSERT_EQ(::munmap(memory_ + kPage, kPage), 0);
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_, 4 * kPage)};
  EXPECT_EQ(snapshot.copy(ranges, {}), Bytes{kPage});
  std::vector<std::byte> bytes(3 * kPage);
  EXPECT_EQ(snapshot.read(ranges[0].begin, bytes), kPage);
  EXPECT_EQ(page_number(snapshot, 2), 2U);
}

TEST_F(MemorySnapshotTest, BehindAGapThePieceIsReadAsItIsNowAndTheNextAsItWas) {
  constexpr std::size_t kGap = 600;  // in the third piece of a MiB
  constexpr std::size_t kNext = 768;
  ASSERT_EQ(::munmap(memory_ + kGap * kPage, kPage), 0);
  MemorySnapshot snapshot(::getpid(), live_);
  const std::vector<AddressRange> ranges = {range_of(memory_, 5 << 20)};
  EXPECT_EQ(snapshot.copy(ranges, {}), Bytes{(5 << 20) - (kNext - kGap) * kPage});
  std::memset(memory_, 0xff, kGap * kPage);
  std::memset(memory_ + (kGap + 1) * kPage, 0xff, kSize - (kGap + 1) * kPage);
  EXPECT_EQ(page_number(snapshot, kGap - 1), kGap - 1);
  EXPECT_EQ(snapshot.read_object<char>(range_of(memory_ + kGap * kPage, 0).begin), std::nullopt);
  EXPECT_EQ(page_number(snapshot, kGap + 1), SIZE_MAX);  // as it is now
  EXPECT_EQ(page_number(snapshot, kNext), kNext);
}

}  // namespace
}  // namespace mini::kernel
