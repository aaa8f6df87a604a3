#include "kernel/page_scan.h"

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

#include "kernel/proc_status.h"

namespace mini::kernel {
namespace {

TEST(PageScanTest, ThePagesThatWereWrittenTo) {
  const std::size_t page = page_size().count;
  auto* memory = static_cast<volatile char*>(
      mmap(nullptr, 8 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
  ASSERT_NE(memory, MAP_FAILED);
  madvise(const_cast<char*>(memory), 8 * page, MADV_NOHUGEPAGE);
  memory[1 * page] = 1;
  memory[2 * page] = 1;
  memory[6 * page] = 1;
  const Address begin{reinterpret_cast<std::uint64_t>(memory)};
  const auto runs = PageScan(getpid()).read({begin, begin + Bytes{8 * page}});
  if (!runs) GTEST_SKIP() << "this kernel is older than 6.7";
  ASSERT_EQ(runs->size(), 2U);
  EXPECT_EQ((*runs)[0].range, (AddressRange{begin + Bytes{page}, begin + Bytes{3 * page}}));
  EXPECT_EQ((*runs)[1].range, (AddressRange{begin + Bytes{6 * page}, begin + Bytes{7 * page}}));
  EXPECT_TRUE((*runs)[0].present);
  EXPECT_FALSE((*runs)[0].swapped);
  munmap(const_cast<char*>(memory), 8 * page);
}

// More runs than the kernel's buffer has room for, and than ours: each comes once.
TEST(PageScanTest, ManyRunsComeOnceEach) {
  const std::size_t page = page_size().count;
  for (const std::size_t count : {100U, 600U, 1024U, 1500U, 5000U}) {
    const std::size_t bytes = 2 * count * page;
    auto* memory = static_cast<volatile char*>(
        mmap(nullptr, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
    ASSERT_NE(memory, MAP_FAILED);
    madvise(const_cast<char*>(memory), bytes, MADV_NOHUGEPAGE);
    for (std::size_t i = 0; i < count; ++i) memory[2 * i * page] = 1;
    const Address begin{reinterpret_cast<std::uint64_t>(memory)};
    const auto runs = PageScan(getpid()).read({begin, begin + Bytes{bytes}});
    const auto all = PageScan(getpid()).read_all();
    munmap(const_cast<char*>(memory), bytes);
    if (!runs) GTEST_SKIP() << "this kernel is older than 6.7";
    ASSERT_EQ(runs->size(), count);
    for (std::size_t i = 0; i < count; ++i) {
      const Address at = begin + Bytes{2 * i * page};
      ASSERT_EQ((*runs)[i].range, (AddressRange{at, at + Bytes{page}}));
    }
    ASSERT_TRUE(all.has_value());
    for (std::size_t i = 1; i < all->size(); ++i) {
      ASSERT_LE((*all)[i - 1].range.end, (*all)[i].range.begin) << i << " of " << all->size();
    }
  }
}

TEST(PageScanTest, OfAProcessThatIsNotThereNothingIsKnown) {
  EXPECT_FALSE(PageScan(-1).read_all().has_value());
}

}  // namespace
}  // namespace mini::kernel
