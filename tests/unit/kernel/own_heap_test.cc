// In a child each: what is done to a heap is not undone.
#include "kernel/own_heap.h"

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <string>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/proc_maps.h"
#include "support/sanitizer.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kBlock = std::size_t{10} << 20;

long count_faults() {
  rusage usage{};
  ::getrusage(RUSAGE_SELF, &usage);
  return usage.ru_minflt;
}

/// Page faults of a block that is allocated, written and freed.
long faults_of_block(std::size_t bytes) {
  const long before = count_faults();
  void* const block = std::malloc(bytes);
  std::memset(block, 1, bytes);
  asm volatile("" : : "r"(block) : "memory");
  std::free(block);
  return count_faults() - before;
}

/// Whether the kernel was asked for huge pages at this address.
bool is_advised(std::uintptr_t address) {
  std::ifstream smaps("/proc/self/smaps");
  bool is_there = false;
  for (std::string line; std::getline(smaps, line);) {
    if (const auto entry = parse_maps_line(line))
      is_there = entry->range.contains(Address{address});
    if (is_there && line.starts_with("VmFlags:")) return line.find(" hg") != std::string::npos;
  }
  return false;
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
    if (faults_of_block(kBlock) < 2000) return kHugeAnyway;
    prepare_heap({.resident = Bytes{2 * kBlock}});
    return faults_of_block(kBlock) < 50 ? 0 : 2;
  });
  if (status == kHugeAnyway) GTEST_SKIP() << "the kernel gives huge pages to all";
  EXPECT_EQ(status, 0);
}

TEST_F(OwnHeapTest, KeepsWhatIsFreed) {
  const int status = status_in_child([] {
    prepare_heap({.huge_end = Bytes{4 * kBlock}});
    constexpr std::size_t kSmall = std::size_t{1} << 20;  // not mapped by itself
    faults_of_block(kSmall);
    return faults_of_block(kSmall) < 50 ? 0 : 2;
  });
  EXPECT_EQ(status, 0);
}

TEST_F(OwnHeapTest, LargeBlocksMayHaveHugePages) {
  const int status = status_in_child([] {
    void* const block = std::malloc(kBlock);
    use_huge_pages(block, kBlock);
    return is_advised(reinterpret_cast<std::uintptr_t>(block) + kBlock / 2) ? 0 : 2;
  });
  if (!std::filesystem::exists("/sys/kernel/mm/transparent_hugepage")) GTEST_SKIP();
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
