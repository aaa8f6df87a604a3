// Records of all sizes: aligned, zero-filled, reused.
#include "alloc/records.h"

#include <algorithm>
#include <cstring>
#include <set>
#include <vector>

#include "alloc_test.h"

namespace mini::alloc {
namespace {

class RecordsTest : public BackingTest {
 protected:
  Records& records() { return backing().records; }
  std::byte* take(std::size_t bytes) { return static_cast<std::byte*>(records().take(bytes)); }
  static std::byte* page_of(std::byte* p) {
    return p - reinterpret_cast<std::uintptr_t>(p) % kPageBytes;
  }
};

bool all_zero(const std::byte* begin, std::size_t bytes) {
  return std::all_of(begin, begin + bytes, [](std::byte b) { return b == std::byte{0}; });
}

TEST_F(RecordsTest, AreAlignedZeroFilledAndApart) {
  const std::byte* previous_end = nullptr;
  for (const std::size_t bytes : {1U, 64U, 65U, 128U, 1000U, 4096U, 5000U, 100000U}) {
    std::byte* const record = take(bytes);
    ASSERT_NE(record, nullptr);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(record) % 64, 0U);
    EXPECT_TRUE(all_zero(record, bytes));
    EXPECT_GE(record, previous_end);
    std::memset(record, 0xff, bytes);
    previous_end = record + bytes;
  }
}

TEST_F(RecordsTest, AReturnedOneServesTheNextOfItsSizeZeroFilledAgain) {
  std::byte* const record = take(1000);
  std::memset(record, 0xff, 1024);
  records().put(record, 1000);
  EXPECT_NE(take(500), record);
  EXPECT_NE(take(2000), record);
  EXPECT_EQ(take(1024), record);
  EXPECT_TRUE(all_zero(record, 1024));
  EXPECT_NE(take(1024), record);
}

TEST_F(RecordsTest, ManyReturnedOnesAreAllReused) {
  std::set<std::byte*> taken;
  for (int i = 0; i < 1000; ++i) taken.insert(take(100));
  ASSERT_EQ(taken.size(), 1000U);
  const std::size_t used = records().used_bytes();
  for (std::byte* record : taken) records().put(record, 100);
  for (int i = 0; i < 1000; ++i) EXPECT_EQ(taken.erase(take(128)), 1U);
  EXPECT_EQ(records().used_bytes(), used);
}

TEST_F(RecordsTest, PagesInsideReturnedOnesAreGivenBackOnce) {
  constexpr std::size_t kBytes = 4 * kPageBytes;
  take(64);  // the others do not begin where pages do
  std::vector<std::byte*> taken;
  for (int i = 0; i < 100; ++i) taken.push_back(take(kBytes));
  std::byte* const in_use = taken.back();
  for (std::byte* record : taken) std::memset(record, 0xff, kBytes);
  EXPECT_EQ(records().release_free(), pages(0));
  for (std::byte* record : taken) {
    if (record != in_use) records().put(record, kBytes);
  }
  EXPECT_EQ(records().release_free(), pages(99 * 3));
  EXPECT_EQ(records().release_free(), pages(0));
  for (std::byte* record : taken) {
    std::byte* const inside = page_of(record) + kPageBytes;
    EXPECT_EQ(test::FakeVm::resident_pages(inside, 3 * kPageBytes), record == in_use ? 3U : 0U);
  }
  EXPECT_EQ(std::count(in_use, in_use + kBytes, std::byte{0xff}), kBytes);
  std::byte* const again = take(kBytes);
  EXPECT_TRUE(all_zero(again, kBytes));
  std::memset(again, 0xff, kBytes);
  records().put(again, kBytes);
  EXPECT_EQ(records().release_free(), pages(3));
}

TEST_F(RecordsTest, OfMoreThanTwoMebibytesThereAreNone) {
  EXPECT_NE(take(std::size_t{2} << 20), nullptr);
  EXPECT_EQ(take((std::size_t{2} << 20) + 1), nullptr);
  EXPECT_EQ(take(~std::size_t{0}), nullptr);
}

TEST_F(RecordsTest, ThereAreNoneWhereTheKernelRefusesAndAgainOnceItDoesNot) {
  ASSERT_NE(take(64), nullptr);
  vm().limit_mapped(vm().mapped_bytes());
  std::size_t taken = 0;
  while (take(4096) != nullptr) ++taken;
  EXPECT_LT(taken, 100U);
  const std::size_t used = records().used_bytes();
  EXPECT_EQ(take(4096), nullptr);
  EXPECT_EQ(records().used_bytes(), used);
  vm().limit_mapped(SIZE_MAX);
  EXPECT_NE(take(4096), nullptr);
}

}  // namespace
}  // namespace mini::alloc
