#include "kernel/process_memory.h"

#include <array>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = 4096;

// Two readable pages with an unreadable one behind them.
class ProcessMemoryTest : public testing::Test {
 protected:
  void SetUp() override {
    void* pages =
        ::mmap(nullptr, 3 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ASSERT_NE(pages, MAP_FAILED);
    pages_ = static_cast<char*>(pages);
    std::memset(pages_, 'x', 2 * kPage);
    ASSERT_EQ(::munmap(pages_ + 2 * kPage, kPage), 0);
  }
  void TearDown() override { ::munmap(pages_, 2 * kPage); }
  Address address(std::size_t offset) const {
    return Address{reinterpret_cast<std::uintptr_t>(pages_) + offset};
  }

  char* pages_ = nullptr;
  ProcessMemory memory_{::getpid()};
};

TEST_F(ProcessMemoryTest, ReadsWhatIsThere) {
  std::array<std::byte, 100> buffer{};
  EXPECT_EQ(memory_.read(address(kPage - 50), buffer), buffer.size());
  EXPECT_EQ(buffer[99], std::byte{'x'});
}

TEST_F(ProcessMemoryTest, ReadsUpToTheFirstUnreadablePage) {
  std::array<std::byte, 2 * kPage> buffer{};
  EXPECT_EQ(memory_.read(address(kPage + 96), buffer), kPage - 96);
  EXPECT_EQ(memory_.read(address(2 * kPage), buffer), 0U);
}

TEST_F(ProcessMemoryTest, CanLeaveAlonePagesThatAreNotThere) {
  void* fresh =
      ::mmap(nullptr, 100 * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(fresh, MAP_FAILED);
  const Address begin{reinterpret_cast<std::uintptr_t>(fresh)};
  std::memset(fresh, 'y', 80 * kPage);
  std::vector<std::byte> buffer(100 * kPage);
  EXPECT_EQ(memory_.read(begin, buffer), 100 * kPage);  // and makes them present, as zeros
  ASSERT_EQ(::madvise(static_cast<char*>(fresh) + 80 * kPage, 20 * kPage, MADV_DONTNEED), 0);
  memory_.read_present_pages_only();
  EXPECT_EQ(memory_.read(begin, buffer), 80 * kPage);
  EXPECT_EQ(memory_.read(begin + Bytes{10}, buffer), 80 * kPage - 10);
  EXPECT_EQ(memory_.read(begin + Bytes{80 * kPage}, buffer), 0U);
  EXPECT_EQ(memory_.read(begin + Bytes{79 * kPage + 5}, std::span(buffer).first(7)), 7U);
  EXPECT_EQ(memory_.read(address(0), buffer), 2 * kPage);
  ::munmap(fresh, 100 * kPage);
}

TEST_F(ProcessMemoryTest, AnObjectIsReadWholeOrNotAtAll) {
  EXPECT_EQ(memory_.read_object<std::uint16_t>(address(0)), 0x7878);
  EXPECT_FALSE(memory_.read_object<std::uint64_t>(address(2 * kPage - 4)));
}

TEST_F(ProcessMemoryTest, AddressesAtTheEndOfMemoryAreUnreadable) {
  std::array<std::byte, 16> buffer{};
  EXPECT_EQ(memory_.read(Address{~std::uint64_t{0} - 3}, buffer), 0U);
  EXPECT_EQ(memory_.read(Address{0}, buffer), 0U);
}

TEST(ProcessMemory, AProcessThatIsGoneHasNoMemory) {
  const ProcessMemory memory(0x3fff'ffff);
  std::array<std::byte, 16> buffer{};
  EXPECT_EQ(memory.read(Address{0x1000}, buffer), 0U);
}

}  // namespace
}  // namespace mini::kernel
