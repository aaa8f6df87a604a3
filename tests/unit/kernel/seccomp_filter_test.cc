// The filter is run by the kernel: a child installs it and makes calls; a tracer sees which stop.
#include "kernel/seccomp_filter.h"

#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <functional>
#include <gtest/gtest.h>
#include <initializer_list>
#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <vector>

#include "kernel/ptrace.h"
#include "kernel/registers.h"
#include "kernel/syscall_table.h"

namespace mini::kernel {
namespace {

struct Observed {
  std::vector<std::uint64_t> stopped_at;  // call numbers
  int exit_status = -1;
};

// The child stops itself first, so that it is seized before it installs the filter.
Observed observe(const std::function<void()>& calls) {
  const std::vector<sock_filter> filter = build_memory_filter();
  const pid_t pid = ::fork();
  if (pid == 0) {
    ::raise(SIGSTOP);
    if (install_filter(filter) != 0) ::_exit(99);
    calls();
    ::syscall(SYS_exit_group, 0);
  }
  int status = 0;
  ::waitpid(pid, &status, WUNTRACED);
  EXPECT_EQ(trace_seize(pid, PTRACE_O_TRACESECCOMP | PTRACE_O_EXITKILL), 0);
  ::kill(pid, SIGCONT);
  Observed observed;
  while (::waitpid(pid, &status, __WALL) == pid && WIFSTOPPED(status)) {
    if (status >> 16 == PTRACE_EVENT_SECCOMP) {
      if (const auto registers = read_registers(pid)) {
        observed.stopped_at.push_back(registers->syscall_number);
      }
    }
    const bool signal = status >> 16 == 0 && WSTOPSIG(status) != SIGSTOP;
    trace_continue(pid, signal ? WSTOPSIG(status) : 0);
  }
  observed.exit_status = WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return observed;
}

TEST(SeccompFilter, StopsEveryMemoryCallOfTheTable) {
  const Observed observed = observe([] {
    for (const SyscallSpec& spec : memory_syscalls()) {
      const bool ends = spec.id == SyscallId::kExit || spec.id == SyscallId::kExitGroup;
      if (ends || spec.only || spec.id == SyscallId::kMunlockall) continue;
      ::syscall(spec.number, -1L, -1L, -1L, -1L, -1L, -1L);  // all of them fail
    }
    ::syscall(SYS_munlockall);
  });
  EXPECT_EQ(observed.exit_status, 0);
  // All but exit, prctl, ioctl and clone; exit_group ends the child.
  EXPECT_EQ(observed.stopped_at.size(), kSyscallIdCount - 4);
  for (const std::uint64_t number : observed.stopped_at) {
    EXPECT_NE(find_syscall(number), nullptr) << number;
  }
}

// Among them the neighbours of filtered numbers, and what is common.
TEST(SeccompFilter, LetsOtherCallsPass) {
  const Observed observed = observe([] {
    for (const long number : std::initializer_list<long>{SYS_read,
                                                         SYS_write,
                                                         SYS_lseek,
                                                         SYS_rt_sigaction,
                                                         SYS_rt_sigprocmask,
                                                         SYS_ioctl,
                                                         SYS_mincore,
                                                         SYS_msync,
                                                         SYS_shmget,
                                                         SYS_shmctl,
                                                         SYS_dup,
                                                         SYS_getpid,
                                                         SYS_wait4,
                                                         SYS_uname,
                                                         SYS_futex,
                                                         SYS_io_getevents,
                                                         SYS_semtimedop,
                                                         SYS_epoll_create1,
                                                         SYS_openat,
                                                         SYS_membarrier,
                                                         SYS_copy_file_range,
                                                         SYS_pkey_alloc,
                                                         SYS_statx,
                                                         SYS_getrandom,
                                                         100'000L}) {
      ::syscall(number, -1L, -1L, -1L, -1L, -1L, -1L);
    }
  });
  EXPECT_EQ(observed.exit_status, 0);
  EXPECT_EQ(observed.stopped_at, std::vector<std::uint64_t>{SYS_exit_group});
}

TEST(SeccompFilter, LooksAtPrctlsFirstArgument) {
  // Not by libc's prctl(), which a sanitizer puts its own in front of.
  const Observed observed = observe([] {
    ::syscall(SYS_prctl, PR_GET_DUMPABLE, 0L, 0L, 0L, 0L);
    ::syscall(SYS_prctl, PR_SET_VMA, 0L, 0L, 0L, 0L);
    ::syscall(SYS_prctl, PR_GET_NAME, 0L, 0L, 0L, 0L);
  });
  EXPECT_EQ(observed.stopped_at, (std::vector<std::uint64_t>{SYS_prctl, SYS_exit_group}));
}

TEST(SeccompFilter, LooksAtIoctlsSecondArgument) {
  const Observed observed = observe([] {
    ::syscall(SYS_ioctl, -1L, 0xaa00L, 0L);
    ::syscall(SYS_ioctl, 0xaa00L, 0L, 0xaa00L);
  });
  EXPECT_EQ(observed.stopped_at, (std::vector<std::uint64_t>{SYS_ioctl, SYS_exit_group}));
}

TEST(SeccompFilter, LooksAtABitOfClonesFirstArgument) {
  const Observed observed = observe([] {
    // Both fail: a thread shares its signal handlers.
    ::syscall(SYS_clone, CLONE_THREAD, 0L, 0L, 0L, 0L);
    ::syscall(SYS_clone, CLONE_THREAD | CLONE_UNTRACED, 0L, 0L, 0L, 0L);
  });
  EXPECT_EQ(observed.stopped_at, (std::vector<std::uint64_t>{SYS_clone, SYS_exit_group}));
}

TEST(SeccompFilter, NeedsFewSteps) {
  // A sanity bound on its size, as each jump reaches 255 instructions at most.
  EXPECT_LT(build_memory_filter().size(), 200U);
}

TEST(SeccompFilter, LeavesPrivilegesAloneWhereItMay) {
  if (::geteuid() != 0) GTEST_SKIP() << "only a privileged process may filter without no_new_privs";
  const Observed observed = observe([] {
    if (::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0) != 0) ::syscall(SYS_exit_group, 5);
  });
  EXPECT_EQ(observed.exit_status, 0);
}

TEST(SeccompFilter, WorksWithoutPrivilege) {
  if (::geteuid() != 0) GTEST_SKIP() << "the other tests show it";
  const std::vector<sock_filter> filter = build_memory_filter();
  const pid_t pid = ::fork();
  if (pid == 0) {
    if (::setuid(65534) != 0) ::_exit(1);
    const int error = install_filter(filter);
    // Without a tracer a filtered call fails: the proof that the filter is there.
    const bool filtered = ::munmap(nullptr, 0) == -1 && errno == ENOSYS;
    ::prctl(PR_GET_NO_NEW_PRIVS, 0, 0, 0, 0);
    // exit and exit_group are filtered too.
    ::kill(::getpid(), error == 0 && filtered ? SIGKILL : SIGUSR1);
  }
  int status = 0;
  ASSERT_EQ(::waitpid(pid, &status, 0), pid);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGKILL);
}

}  // namespace
}  // namespace mini::kernel
