#include "heaps/page_cache.h"

#include <algorithm>
#include <cstring>
#include <gtest/gtest.h>
#include <vector>

#include "fake_glibc.h"

namespace mini::heaps {
namespace {

class CountingMemory final : public MemoryReader {
 public:
  explicit CountingMemory(const MemoryReader& memory) : memory_(memory) {}
  std::size_t read(Address from, std::span<std::byte> out) const override {
    ++reads;
    return memory_.read(from, out);
  }
  mutable int reads = 0;

 private:
  const MemoryReader& memory_;
};

std::uint64_t word(const MemoryReader& memory, std::uint64_t at) {
  return memory.read_object<std::uint64_t>(Address{at}).value_or(~0ULL);
}

TEST(PageCacheTest, ReadsEachBlockOnce) {
  FakeMemory memory;
  memory.add(Address{0x10000}, 0x10000);
  for (std::uint64_t at = 0x10000; at < 0x20000; at += 8) memory.write(Address{at}, at);
  const CountingMemory counting(memory);
  const PageCache cache(counting);
  for (std::uint64_t at = 0x10000; at < 0x14000; at += 8) EXPECT_EQ(word(cache, at), at);
  EXPECT_EQ(counting.reads, 1);
}

/// Two runs of words, each its own address; the first is the one that was copied.
class HalfHeldMemory final : public MemoryView {
 public:
  HalfHeldMemory() {
    for (std::uint64_t at = 0; at < kEnd; at += 8) words_.push_back(kBegin + at);
  }
  std::size_t read(Address from, std::span<std::byte> out) const override {
    ++reads;
    const auto bytes = std::as_bytes(std::span(words_));
    const std::uint64_t offset = from.value - kBegin;
    if (offset >= bytes.size()) return 0;
    const std::size_t count = std::min(out.size(), bytes.size() - offset);
    std::memcpy(out.data(), bytes.data() + offset, count);
    return count;
  }
  HeldBytes held_around(Address at) const override {
    if (at.value - kBegin >= kHeld) return {};
    return {Address{kBegin}, std::as_bytes(std::span(words_)).first(kHeld)};
  }

  static constexpr std::uint64_t kBegin = 0x10000;
  static constexpr std::uint64_t kHeld = 0x2000;
  static constexpr std::uint64_t kEnd = 0x8000;
  mutable int reads = 0;

 private:
  std::vector<std::uint64_t> words_;
};

TEST(PageCacheTest, WhatAViewHoldsIsNotReadAgain) {
  const HalfHeldMemory memory;
  const PageCache cache(memory);
  for (std::uint64_t at = memory.kBegin; at < memory.kBegin + memory.kHeld; at += 8) {
    EXPECT_EQ(cache.read_object<std::uint64_t>(Address{at}), at);
  }
  EXPECT_EQ(memory.reads, 0);
  const std::uint64_t behind = memory.kBegin + memory.kHeld;
  EXPECT_EQ(cache.read_object<std::uint64_t>(Address{behind}), behind);
  EXPECT_EQ(memory.reads, 1);
  // From what is held on into what is not.
  const std::uint64_t across = (behind << 32) | (((behind - 8) >> 32) & 0xffffffff);
  EXPECT_EQ(cache.read_object<std::uint64_t>(Address{behind - 4}), across);
  cache.fetch(Address{memory.kBegin});
  cache.fetch(Address{0});  // is nowhere
  EXPECT_EQ(cache.read_object<std::uint64_t>(Address{memory.kBegin + memory.kEnd}), std::nullopt);
  EXPECT_EQ(cache.read_object<std::uint64_t>(Address{memory.kBegin - 8}), std::nullopt);
}

TEST(PageCacheTest, AcrossBlocks) {
  FakeMemory memory;
  memory.add(Address{0x10000}, 0x10000);
  memory.write(Address{0x13ffc}, 0x1122334455667788);
  EXPECT_EQ(word(PageCache(memory), 0x13ffc), 0x1122334455667788U);
}

TEST(PageCacheTest, WhereMemoryBeginsAndEndsWithinABlock) {
  FakeMemory memory;
  memory.add(Address{0x11000}, 0x1804);
  memory.write(Address{0x11000}, 1);
  memory.write(Address{0x127f8}, 2);
  const PageCache cache(memory);
  EXPECT_EQ(word(cache, 0x11000), 1U);
  EXPECT_EQ(word(cache, 0x127f8), 2U);
  EXPECT_EQ(word(cache, 0x10ff8), ~0ULL);
  EXPECT_EQ(word(cache, 0x12800), ~0ULL);
  std::array<std::byte, 8> bytes{};
  EXPECT_EQ(cache.read(Address{0x12800}, bytes), 4U);
}

TEST(PageCacheTest, TheEndOfTheAddressSpace) {
  FakeMemory memory;
  memory.add(Address{0x10000}, 0x1000);
  EXPECT_EQ(word(PageCache(memory), ~0ULL - 3), ~0ULL);
}

}  // namespace
}  // namespace mini::heaps
