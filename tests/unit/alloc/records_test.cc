// Records of all sizes: aligned, zero-filled, reused.
#include "alloc/records.h"

#include <algorithm>
#include <cstring>
#include <set>

#include "alloc_test.h"

namespace mini::alloc {
namespace {

class RecordsTest : public BackingTest {
 protected:
  Records& records() { return backing().records; }
  std::byte* take(std::size_t bytes) { return static_cast<std::byte*>(records().take(bytes)); }
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
