#include "sources/stopped_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <fmt/format.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/ptrace.h"
#include "kernel/registers.h"
#include "sources/refusal.h"

namespace mini::sources {
namespace {

constexpr std::uint64_t kNsPerSecond = 1'000'000'000;
constexpr std::uint64_t kPatienceNs = 2 * kNsPerSecond;
constexpr std::uint64_t kBetweenLooksNs = 50'000;
constexpr int kStackPointerRegister =
#if defined(__aarch64__)
    31;
#else
    7;
#endif

}  // namespace

Result<StoppedProcess> StoppedProcess::stop(pid_t pid) {
  StoppedProcess process;
  process.begin_ns_ = monotonic_ns();
  if (auto seized = process.seize_all(pid); !seized) return std::unexpected(seized.error());
  const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  for (Thread& thread : process.seized_) {
    if (process.wait_for(thread, deadline_ns)) continue;
    return fail(
        fmt::format("thread {} of process {} did not stop within 2 seconds (it may wait for "
                    "a disk, or for its child of vfork): try again, or read the process as it runs "
                    "with --no-stop",
                    thread.tid, pid),
        ETIMEDOUT);
  }
  std::erase_if(process.seized_, [](const Thread& thread) { return !thread.stopped; });
  if (process.seized_.empty()) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  process.read_registers();
  return process;
}

// Threads may start others while they are being seized; so the list is read until it holds nothing
// new.
Result<void> StoppedProcess::seize_all(pid_t pid) {
  for (bool found_new = true; found_new;) {
    found_new = false;
    for (const pid_t tid : kernel::read_thread_ids(pid)) {
      if (std::ranges::find(seized_, tid, &Thread::tid) != seized_.end()) continue;
      const int error = kernel::trace_seize(tid, 0);
      if (error == ESRCH) continue;  // ended meanwhile
      if (error != 0) {
        return fail(
            fmt::format("cannot stop process {}: {}", pid, explain_refusal(tid, error, false)),
            error);
      }
      kernel::trace_interrupt(tid);
      seized_.push_back({.tid = tid});
      found_new = true;
    }
  }
  if (seized_.empty()) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  return {};
}

/// False where it does not stop in time. A thread that ends is not stopped, and no error.
bool StoppedProcess::wait_for(Thread& thread, std::uint64_t deadline_ns) {
  for (;;) {
    int status = 0;
    const pid_t got = ::waitpid(thread.tid, &status, __WALL | WNOHANG);
    if (got == thread.tid && WIFSTOPPED(status)) {
      constexpr int kEventShift = 16;
      thread.stopped = true;
      // A stop without an event is a signal on its way; it gets there when the thread goes on. Of
      // one with an event, the signal says whether it is ours or one that stopped the process.
      if (status >> kEventShift == 0) {
        thread.signal = WSTOPSIG(status);
      } else if (WSTOPSIG(status) != SIGTRAP) {
        is_held_ = true;
      }
      return true;
    }
    if (got == thread.tid || (got < 0 && errno == ECHILD)) return true;
    if (monotonic_ns() > deadline_ns) return false;
    sleep_ns(kBetweenLooksNs);
  }
}

void StoppedProcess::read_registers() {
  for (const Thread& thread : seized_) {
    model::InspectedThread inspected{.id = thread.tid};
    if (const auto registers = kernel::read_registers(thread.tid)) {
      inspected.stack_pointer = Address{registers->dwarf.at(kStackPointerRegister)};
      inspected.thread_pointer = Address{registers->thread_pointer};
      inspected.registers.assign(registers->dwarf.begin(), registers->dwarf.end());
      inspected.code = Address{registers->dwarf.back()};
      inspected.waits = registers->is_waiting();
    }
    threads_.push_back(std::move(inspected));
  }
}

std::uint64_t StoppedProcess::resume() {
  if (seized_.empty()) return 0;
  const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  for (Thread& thread : seized_) {
    // Only a stopped thread can be let go: those that did not stop in time are waited for once
    // more. What does not come the kernel lets go when we end.
    if (!thread.stopped) wait_for(thread, deadline_ns);
    kernel::trace_detach(thread.tid, thread.signal);
  }
  seized_.clear();
  return monotonic_ns() - begin_ns_;
}

}  // namespace mini::sources
