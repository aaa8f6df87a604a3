// What the allocator relies on where the kernel refuses something.
#include "kernel/vm/vm.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <barrier>
#include <cstring>
#include <gtest/gtest.h>
#include <pthread.h>
#include <sched.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <thread>
#include <unistd.h>
#include <vector>

#if __has_include(<sys/rseq.h>)
#include <sys/rseq.h>
#endif

namespace mini::kernel::vm {
namespace {

constexpr std::size_t kPage = 4096;
constexpr std::size_t kPages = 64;

class VmTest : public testing::Test {
 protected:
  VmTest() {
    EXPECT_NE(from_, nullptr);
    EXPECT_EQ(map_over(from_, kPages * kPage), MapResult::kMapped);
    EXPECT_EQ(map_over(to_, kPages * kPage), MapResult::kMapped);
    std::memset(from_, 7, kPages * kPage);
  }
  ~VmTest() override { unmap(from_, 2 * kPages * kPage); }

  std::byte* from() const { return from_; }
  std::byte* to() const { return to_; }

 private:
  std::byte* from_ = static_cast<std::byte*>(reserve(2 * kPages * kPage));
  std::byte* to_ = from_ + kPages * kPage;
};

TEST_F(VmTest, SaysWhatIsMapped) {
  EXPECT_EQ(mapped_bytes(to(), kPages * kPage), kPages * kPage);
  for (const std::size_t left : {std::size_t{0}, std::size_t{1}, std::size_t{17}, kPages - 1}) {
    ASSERT_TRUE(unmap(to() + left * kPage, kPage));
    EXPECT_EQ(mapped_bytes(to(), kPages * kPage), left * kPage);
    EXPECT_EQ(map_over(to() + left * kPage, kPage), MapResult::kMapped);
  }
}

TEST_F(VmTest, AMappingGetsLongerWhereNothingIsInItsWay) {
  ASSERT_TRUE(unmap(to(), kPages / 2 * kPage));
  EXPECT_FALSE(lengthen(to(), kPages * kPage));
  EXPECT_EQ(mapped_bytes(to(), kPages * kPage), 0U);
  EXPECT_TRUE(lengthen(to(), kPages / 2 * kPage));
  EXPECT_EQ(mapped_bytes(to(), kPages * kPage), kPages * kPage);
  EXPECT_EQ(to()[-1], std::byte{7});
  std::memset(to(), 8, kPages / 2 * kPage);
  EXPECT_FALSE(lengthen(to() + kPages / 4 * kPage, kPage));  // is not where it ends
  ASSERT_TRUE(unmap(to(), kPage));
  EXPECT_FALSE(lengthen(to() + kPage, kPage));  // where nothing is
}

// The middle of what is moved is another mapping: refused before Linux 6.17. Either way nothing is
// lost.
TEST_F(VmTest, AMoveIsDoneOrItsRestIsStillThere) {
  ASSERT_EQ(::madvise(from() + kPages / 2 * kPage, kPage, MADV_DONTDUMP), 0);
  const bool moved = move_pages(from(), to(), kPages * kPage);
  std::size_t there = moved ? kPages * kPage : mapped_bytes(to(), kPages * kPage);
  if (!moved && there == kPages * kPage) there = 0;  // refused at once
  for (std::size_t i = 0; i < kPages * kPage; i += kPage) {
    EXPECT_EQ((i < there ? to() : from())[i], std::byte{7}) << i / kPage;
    if (i < there) {
      EXPECT_EQ(from()[i], std::byte{0});
    }
  }
}

#if __has_include(<sys/rseq.h>)
// As under a sandbox or a kernel without rseq: the number of the processor would be 0 for all.
TEST(ProcessorTest, ThreadsDifferWhereTheKernelDoesNotTellTheirs) {
  constexpr std::size_t kThreads = 16;
  std::array<std::uint32_t, kThreads> numbers{};
  std::atomic<std::size_t> refused{0};
  std::barrier all_are_there{static_cast<std::ptrdiff_t>(kThreads)};
  {
    std::vector<std::jthread> threads;
    for (std::uint32_t& number : numbers) {
      threads.emplace_back([&] {
        auto* const area = static_cast<std::byte*>(__builtin_thread_pointer()) + __rseq_offset;
        constexpr std::size_t kFirstSize = 32;  // that glibc registers, whatever __rseq_size says
        if (::syscall(SYS_rseq, area, kFirstSize, RSEQ_FLAG_UNREGISTER, RSEQ_SIG) != 0) ++refused;
        number = processor() % 8;
        all_are_there.arrive_and_wait();  // else one would get the stack of another
      });
    }
  }
  if (refused != 0) GTEST_SKIP() << "no rseq to be given up";
  std::ranges::sort(numbers);
  EXPECT_GE(std::ranges::unique(numbers).begin() - numbers.begin(), 3);
}
#endif

void share_one_processor() {
  cpu_set_t first;
  CPU_ZERO(&first);
  CPU_SET(static_cast<unsigned>(::sched_getcpu()), &first);
  ASSERT_EQ(::sched_setaffinity(0, sizeof first, &first), 0);
}

TEST(NapTest, AThreadOfLowerPriorityRunsMeanwhile) {
  share_one_processor();
  std::atomic<bool> may_end{false};
  bool is_urgent = false;
  int naps = 0;
  std::thread urgent([&] {
    const sched_param priority{.sched_priority = 1};
    is_urgent = ::pthread_setschedparam(::pthread_self(), SCHED_FIFO, &priority) == 0;
    if (!is_urgent) return;
    std::thread low([&] {
      const sched_param none{};
      ::pthread_setschedparam(::pthread_self(), SCHED_OTHER, &none);
      may_end = true;
    });
    // A million, where the urgent one went on until the kernel held it up for the others' sake.
    for (; !may_end; ++naps) nap();
    low.join();
  });
  urgent.join();
  if (!is_urgent) GTEST_SKIP() << "no real-time priority for this user";
  EXPECT_LT(naps, 100'000);
}

}  // namespace
}  // namespace mini::kernel::vm
