#include "kernel/thread_context.h"

#include <cerrno>
#include <gtest/gtest.h>
#include <sys/syscall.h>

namespace mini::kernel {
namespace {

#if defined(__x86_64__)

constexpr std::uint64_t kBehindCall = 0x1002;

ThreadContext interrupted(std::uint64_t call, std::int64_t result) {
  ThreadContext context{};
  context.rip = kBehindCall;
  context.system_call = call;
  context.rax = static_cast<std::uint64_t>(result);
  return context;
}

TEST(ThreadContextTest, AnInterruptedCallIsStartedAgain) {
  for (const int result : {-512, -513, -514}) {
    const auto at = resume_point(interrupted(SYS_read, result), true);
    EXPECT_EQ(at.rip, kBehindCall - 2);
    EXPECT_EQ(at.rax, static_cast<std::uint64_t>(SYS_read));
    EXPECT_EQ(at.system_call, kNoSystemCall);
  }
}

TEST(ThreadContextTest, ATimedOneGoesOnWithWhatIsLeft) {
  const auto at = resume_point(interrupted(SYS_poll, -516), true);
  EXPECT_EQ(at.rip, kBehindCall - 2);
  EXPECT_EQ(at.rax, static_cast<std::uint64_t>(SYS_restart_syscall));
}

TEST(ThreadContextTest, EintrThatNobodyAskedForIsTakenBack) {
  EXPECT_EQ(resume_point(interrupted(SYS_epoll_wait, -EINTR), true).rax,
            static_cast<std::uint64_t>(SYS_epoll_wait));
  const auto asked = resume_point(interrupted(SYS_epoll_wait, -EINTR), false);
  EXPECT_EQ(asked.rax, static_cast<std::uint64_t>(-EINTR));
  EXPECT_EQ(asked.rip, kBehindCall);
  EXPECT_EQ(resume_point(interrupted(SYS_recvfrom, -EINTR), true).rip, kBehindCall - 2);
  EXPECT_EQ(resume_point(interrupted(SYS_connect, -EINTR), true).rip, kBehindCall - 2);
  EXPECT_EQ(resume_point(interrupted(SYS_close, -EINTR), true).rip, kBehindCall) << "it is done";
}

TEST(ThreadContextTest, WhatTheKernelStartsAgainIsLeftToIt) {
  for (const int result : {-512, -513, -514, -516, 5}) {
    EXPECT_EQ(static_cast<int>(undisturbed(interrupted(SYS_poll, result)).rax), result);
  }
  const auto waits = undisturbed(interrupted(SYS_epoll_wait, -EINTR));
  EXPECT_EQ(static_cast<int>(waits.rax), -514) << "unless a handler is called";
  EXPECT_EQ(waits.rip, kBehindCall);
  EXPECT_EQ(waits.system_call, static_cast<std::uint64_t>(SYS_epoll_wait));
  EXPECT_EQ(static_cast<int>(undisturbed(interrupted(SYS_close, -EINTR)).rax), -EINTR);
}

TEST(ThreadContextTest, ResultsAndRunningThreadsStay) {
  EXPECT_EQ(resume_point(interrupted(SYS_read, 5), true).rax, 5U);
  EXPECT_EQ(resume_point(interrupted(SYS_read, 5), true).rip, kBehindCall);
  const auto runs = resume_point(interrupted(kNoSystemCall, -512), true);
  EXPECT_EQ(runs.rip, kBehindCall) << "it is in no call";
}

#endif

}  // namespace
}  // namespace mini::kernel
