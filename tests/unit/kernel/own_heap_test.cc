// In a child each: what is done to a heap is not undone.
#include "kernel/own_heap.h"

#include <cstddef>
#include <cstdlib>
#include <cstring>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/sanitizer.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kBlock = std::size_t{10} << 20;

long count_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Page faults of a block that is allocated, written and freed; below 0: there is no memory.
long faults_of_block() {
  const long before = count_faults();
  void* const block = std::malloc(kBlock);
  if (block == nullptr) return -1;
  std::memset(block, 1, kBlock);
  asm volatile("" : : "r"(block) : "memory");
  std::free(block);
  return count_faults() - before;
}

/// Exit status of a child that returns this.
template <typename Function>
int status_in_child(Function&& function) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(function());
  int status = -1;
  ::waitpid(child, &status, 0);
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

class OwnHeapTest : public testing::Test {
 protected:
  void SetUp() override {
    if (test::kHasSanitizersMalloc) GTEST_SKIP() << "malloc is the sanitizer's";
  }
};

TEST_F(OwnHeapTest, ResidentBytesAreNotFaultedIn) {
  constexpr int kHugeAnyway = 1;
  const int status = status_in_child([] {
    if (faults_of_block() < 2000) return kHugeAnyway;
    prepare_heap({.resident = Bytes{2 * kBlock}});
    return faults_of_block() < 50 ? 0 : 2;
  });
  if (status == kHugeAnyway) GTEST_SKIP() << "the kernel gives huge pages to all";
  EXPECT_EQ(status, 0);
}

TEST_F(OwnHeapTest, KeepsWhatIsFreed) {
  const int status = status_in_child([] {
    prepare_heap({.huge_end = Bytes{4 * kBlock}});
    faults_of_block();
    return faults_of_block() < 50 ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(OwnHeapTest, WhereAddressesAreLimitedTheyAreLeft) {
  const int status = status_in_child([] {
    rlimit limit{.rlim_cur = 50 * kBlock, .rlim_max = 50 * kBlock};
    ::setrlimit(RLIMIT_AS, &limit);
    const auto* const before = static_cast<const char*>(::sbrk(0));
    prepare_heap({.resident = Bytes{kBlock}, .huge_end = Bytes{20 * kBlock}});
    return static_cast<const char*>(::sbrk(0)) - before < 3 * std::ptrdiff_t{kBlock} ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

}  // namespace
}  // namespace mini::kernel
