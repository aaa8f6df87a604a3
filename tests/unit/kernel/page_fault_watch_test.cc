#include "kernel/page_fault_watch.h"

#include <array>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <unistd.h>

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 50;

TEST(PageFaultWatch, TellsOfEachPageOnce) {
  const std::array<pid_t, 1> self = {::gettid()};
  auto watch = PageFaultWatch::of_threads(self);
  if (!watch) GTEST_SKIP() << watch.error().message;
  void* const memory =
      ::mmap(nullptr, kPages * kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(memory, MAP_FAILED);
  ASSERT_EQ(::madvise(memory, kPages * kPage, MADV_NOHUGEPAGE), 0);
  auto* const bytes = static_cast<volatile char*>(memory);
  for (int round = 0; round < 2; ++round) {
    for (std::size_t i = 0; i < kPages; ++i) bytes[i * kPage + 7] = 1;
  }
  const auto begin = reinterpret_cast<std::uint64_t>(memory);
  std::size_t found = 0;
  std::uint64_t last_ns = 0;
  for (const PageFault& fault : (*watch)->read()) {
    EXPECT_GE(fault.time_ns, last_ns);
    last_ns = fault.time_ns;
    if (fault.address.value - begin >= kPages * kPage) continue;
    EXPECT_EQ(fault.address.value, begin + found * kPage + 7);
    EXPECT_EQ(fault.pid, ::getpid());
    EXPECT_EQ(fault.tid, ::gettid());
    EXPECT_NE(fault.instruction.value, 0U);
    ++found;
  }
  EXPECT_EQ(found, kPages);
  EXPECT_EQ((*watch)->lost(), 0U);
  ::munmap(memory, kPages * kPage);
}

TEST(PageFaultWatch, ThreadsThatHaveEndedCannotBeWatched) {
  const std::array<pid_t, 1> none = {INT32_MAX};
  EXPECT_FALSE(PageFaultWatch::of_threads(none));
}

}  // namespace
}  // namespace mini::kernel
