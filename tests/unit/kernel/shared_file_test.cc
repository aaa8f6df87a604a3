#include "kernel/shared_file.h"

#include <atomic>
#include <csignal>
#include <gtest/gtest.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/life_sign.h"
#include "kernel/vm/shared.h"

namespace mini::kernel {
namespace {

constexpr std::size_t kPage = 4096;

TEST(SharedFile, OthersSeeItByItsPath) {
  const auto file = SharedFile::create("test", 4 * kPage);
  ASSERT_TRUE(file);
  EXPECT_FALSE(file->is_mapped_by(::getpid()));
  const auto ours = file->map(kPage, kPage);
  EXPECT_TRUE(file->is_mapped_by(::getpid()));
  ASSERT_TRUE(ours);
  auto* const theirs = static_cast<std::byte*>(vm::map_shared(file->path().c_str(), kPage, kPage));
  ASSERT_NE(theirs, nullptr);
  theirs[7] = std::byte{42};
  EXPECT_EQ(ours->begin()[7], std::byte{42});
  file->discard(kPage, kPage);
  EXPECT_EQ(ours->begin()[7], std::byte{0});
}

TEST(SharedFile, AChildHasTheFileAndNotTheMapping) {
  const auto file = SharedFile::create("test", kPage);
  ASSERT_TRUE(file);
  const auto ours = file->map(0, kPage);
  ASSERT_TRUE(ours);
  const pid_t child = ::fork();
  if (child == 0) {
    while (true) ::pause();
  }
  EXPECT_FALSE(file->is_mapped_by(child));
  EXPECT_NE(vm::map_shared(file->path_in(child).c_str(), 0, kPage), nullptr);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
}

TEST(SharedFile, NobodyCutsIt) {
  const auto file = SharedFile::create("test", 2 * kPage);
  ASSERT_TRUE(file);
  const auto ours = file->map(0, 2 * kPage);
  ASSERT_TRUE(ours);
  ours->begin()[kPage] = std::byte{42};
  ASSERT_NE(::truncate(file->path().c_str(), kPage), 0);
  ASSERT_EQ(ours->begin()[kPage], std::byte{42});
}

TEST(SharedFile, AHugeSparseOneTakesNothing) {
  const auto file = SharedFile::create("test", std::size_t{1} << 40);
  ASSERT_TRUE(file);
  EXPECT_TRUE(file->map((std::size_t{1} << 40) - kPage, kPage));
}

TEST(SharedFile, WhatIsNotThereCannotBeMapped) {
  EXPECT_EQ(vm::map_shared("/proc/self/fd/987654", 0, kPage), nullptr);
  EXPECT_EQ(vm::map_shared("", 0, kPage), nullptr);
}

TEST(SharedMemory, AChildHasNeitherTheMappingNorWhatIsWiped) {
  const auto file = SharedFile::create("test", kPage);
  ASSERT_TRUE(file);
  auto* const wiped = static_cast<int*>(vm::map_wiped_on_fork(kPage));
  ASSERT_NE(wiped, nullptr);
  *wiped = 5;
  const pid_t child = ::fork();
  if (child == 0) ::_exit(*wiped);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(*wiped, 5);
}

TEST(SharedMemory, WhatIsHiddenFromChildrenTheyDoNotHave) {
  const auto file = SharedFile::create("test", kPage);
  ASSERT_TRUE(file);
  const auto mapping = file->map(0, kPage);
  ASSERT_TRUE(mapping);
  mapping->hide_from_children();
  EXPECT_TRUE(file->is_mapped_by(::getpid()));
  const pid_t child = ::fork();
  if (child == 0) ::_exit(file->is_mapped_by(::getpid()) ? 1 : 0);
  int status = -1;
  ASSERT_EQ(::waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
}

TEST(SharedMemory, AWaiterIsWokenByAnotherProcess) {
  const auto file = SharedFile::create("test", kPage);
  ASSERT_TRUE(file);
  const auto mapping = file->map(0, kPage);
  ASSERT_TRUE(mapping);
  auto* const word = reinterpret_cast<std::uint32_t*>(mapping->begin());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto theirs = file->map(0, kPage);
    auto* const same = reinterpret_cast<std::uint32_t*>(theirs->begin());
    __atomic_store_n(same, 1, __ATOMIC_SEQ_CST);
    vm::wake_shared(same);
    ::_exit(0);
  }
  constexpr std::uint64_t kLongNs = 60'000'000'000;
  while (__atomic_load_n(word, __ATOMIC_SEQ_CST) == 0) wait_for_change(word, 0, kLongNs);
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(*word, 1U);
}

TEST(ProcessHandle, KnowsWhenItsProcessHasEnded) {
  EXPECT_FALSE(ProcessHandle(::getpid()).has_ended());
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  const ProcessHandle handle(child);
  int status = -1;
  ::waitpid(child, &status, 0);
  EXPECT_TRUE(handle.has_ended());
  EXPECT_TRUE(ProcessHandle(child).has_ended());
}

TEST(ProcessHandle, AProcessLivesOnThatNoDescriptorIsLeftFor) {
  rlimit before{};
  ASSERT_EQ(::getrlimit(RLIMIT_NOFILE, &before), 0);
  const rlimit none{.rlim_cur = 0, .rlim_max = before.rlim_max};
  ::setrlimit(RLIMIT_NOFILE, &none);
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  const ProcessHandle handle(child);
  const ProcessHandle nobody(0);
  ::setrlimit(RLIMIT_NOFILE, &before);
  EXPECT_FALSE(handle.has_ended());
  EXPECT_TRUE(nobody.has_ended());
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_TRUE(handle.has_ended());
}

TEST(LifeSign, SaysThatItsThreadWasKilled) {
  auto file = SharedFile::create("test", 4096);
  ASSERT_TRUE(file);
  auto mapping = file->map(0, 4096);
  ASSERT_TRUE(mapping);
  struct Shared {
    std::atomic<std::uint32_t> thread;
    std::uint64_t link;
  };
  auto& shared = *reinterpret_cast<Shared*>(mapping->begin());
  const pid_t child = ::fork();
  if (child == 0) {
    const auto theirs = file->map(0, 4096);
    auto& same = *reinterpret_cast<Shared*>(theirs->begin());
    const LifeSign life(same.link, same.thread);
    ::kill(::getpid(), SIGKILL);
  }
  ::waitpid(child, nullptr, 0);
  EXPECT_EQ(shared.thread.load(), static_cast<std::uint32_t>(FUTEX_OWNER_DIED));
  {
    const LifeSign life(shared.link, shared.thread);
    EXPECT_EQ(shared.thread.load(), static_cast<std::uint32_t>(::gettid()));
  }
  EXPECT_EQ(shared.thread.load(), 0U);
}

}  // namespace
}  // namespace mini::kernel
