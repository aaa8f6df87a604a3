#include "heaps/page_cache.h"

#include <gtest/gtest.h>

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
