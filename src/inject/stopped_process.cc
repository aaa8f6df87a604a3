// PTRACE_SEIZE and PTRACE_INTERRUPT send no signal, so the target cannot notice; PTRACE_O_EXITKILL
// is not set, so it outlives us.
#include "inject/stopped_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstring>
#include <fmt/format.h>
#include <set>
#include <span>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "base/clock.h"
#include "inject/call_code.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"

namespace mini::inject {
namespace {

constexpr unsigned kOptions = PTRACE_O_TRACESYSGOOD;
// A thread that is ready to run stops as soon as it does, which on a busy machine may take its
// time. One in the midst of a system call may not come at all.
constexpr int kWaitSteps = 400;  // of half a millisecond
constexpr int kMostWaitSteps = 4000;
constexpr std::uint64_t kWaitStepNs = 500'000;
constexpr int kMostRounds = 64;  // of reading the list of threads

bool is_ready_to_run(pid_t tid) {
  const auto status = kernel::read_status(tid);
  return status && status->state == 'R';
}

bool is_worth_waiting(int step, std::span<const pid_t> threads) {
  return step < kWaitSteps ||
         (step < kMostWaitSteps && std::ranges::any_of(threads, is_ready_to_run));
}

/// One that did not stop when it was seized before, and has not been let go yet.
bool is_ours(pid_t tid) {
  const auto status = kernel::read_status(tid);
  return status && status->tracer == ::getpid();
}

bool is_job_control(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/// A look at a thread that was told to stop.
struct Look {
  bool is_over = false;  // it need not be waited for any more: it has stopped, or is gone
  std::optional<StoppedThread> thread = {};
  bool is_job_stop = false;  // Ctrl-Z or SIGSTOP: not our stop
};
Look look_at(pid_t tid, const TraceLedger& ledger) {
  int status = 0;
  const pid_t came = ::waitpid(tid, &status, __WALL | WNOHANG);
  Look look{.is_over = came != 0};
  const auto context = came == tid && WIFSTOPPED(status) ? kernel::read_context(tid) : std::nullopt;
  if (!context) return look;
  const int signal = WSTOPSIG(status);
  const bool is_event = status >> 16 == PTRACE_EVENT_STOP;
  const bool is_call = signal == (SIGTRAP | 0x80);
  look.is_job_stop = is_event && is_job_control(signal);
  look.thread = StoppedThread{.tid = tid,
                              .signal = is_event || is_call ? 0 : signal,
                              .context = ledger.interrupted.stopped(tid, *context)};
  return look;
}

}  // namespace

StoppedProcess::StoppedProcess(StoppedProcess&& other) noexcept
    : pid_(other.pid_),
      ledger_(other.ledger_),
      running_(std::exchange(other.running_, {})),
      threads_(std::exchange(other.threads_, {})) {}

Result<StoppedProcess> StoppedProcess::stop(pid_t pid, TraceLedger& ledger) {
  StoppedProcess process(pid, ledger);
  if (auto seized = process.seize_all(); !seized) return std::unexpected(seized.error());
  if (auto stopped = process.wait_for_all(); !stopped) return std::unexpected(stopped.error());
  return process;
}

// Threads may start others meanwhile: the list is read until it holds nothing new, and a stopped
// thread starts none.
Result<void> StoppedProcess::seize_all() {
  std::set<pid_t> known;
  bool found_new = true;
  for (int round = 0; found_new && round < kMostRounds; ++round) {
    found_new = false;
    for (const pid_t tid : kernel::read_thread_ids(pid_)) {
      if (known.contains(tid)) continue;
      const int error = kernel::trace_seize(tid, kOptions);
      if (error == ESRCH) continue;  // ended meanwhile
      if (error != 0 && !is_ours(tid)) return fail(std::strerror(error), error);
      known.insert(tid);
      running_.push_back(tid);
      kernel::trace_interrupt(tid);
      found_new = true;
    }
    if (auto stopped = wait_for_all(); !stopped) return stopped;
  }
  if (threads_.empty() && running_.empty()) {
    return fail(fmt::format("process {} has just ended", pid_), ESRCH);
  }
  return {};
}

Result<void> StoppedProcess::wait_for_all() {
  for (int step = 0; !running_.empty() && is_worth_waiting(step, running_); ++step) {
    if (step != 0) sleep_ns(kWaitStepNs);
    for (std::size_t i = 0; i < running_.size();) {
      const auto came = take_stop(running_[i]);
      if (!came) return std::unexpected(came.error());
      if (*came) {
        running_.erase(running_.begin() + static_cast<std::ptrdiff_t>(i));
      } else {
        ++i;
      }
    }
  }
  return {};
}

/// Whether the thread need not be waited for any more.
Result<bool> StoppedProcess::take_stop(pid_t tid) {
  const Look look = look_at(tid, ledger_);
  if (look.thread) threads_.push_back(*look.thread);
  if (look.is_job_stop) {
    std::erase(running_, tid);
    return fail(fmt::format("process {} is stopped (Ctrl-Z or SIGSTOP): let it go on first, with "
                            "'kill -CONT {}'",
                            pid_, pid_),
                EBUSY);
  }
  return look.is_over;
}

kernel::ThreadContext resume_point(const StoppedThread& thread) {
  const bool says_eintr = static_cast<std::int64_t>(thread.context.rax) == -EINTR;
  const bool no_signal =
      says_eintr && thread.signal == 0 && !kernel::has_signal_waiting(thread.tid);
  return kernel::resume_point(thread.context, no_signal);
}

void let_go(const StoppedThread& thread, TraceLedger& ledger) {
  const kernel::ThreadContext at = kernel::undisturbed(thread.context);
  ledger.interrupted.let_go(thread.tid, at);
  if (at.rax != thread.context.rax) kernel::write_context(thread.tid, at);
  kernel::trace_detach(thread.tid, thread.signal);
}

// The code does not look at how its wait ended; let_go() would have an interrupted one begin anew.
bool StoppedProcess::let_through_our_code(const MemoryReader& memory) {
  bool found = false;
  for (StoppedThread& thread : threads_) {
    if (!is_in_our_code(Address{thread.context.rip}, memory)) continue;
    found = true;
    if (thread.context.system_call != SYS_rt_sigtimedwait) continue;
    thread.context.rax = 0;
    kernel::write_context(thread.tid, thread.context);
  }
  return found;
}

StoppedThread StoppedProcess::let_go_all_but(pid_t tid) {
  StoppedThread kept;
  const auto is_kept = [tid](const StoppedThread& thread) { return thread.tid == tid; };
  if (const auto found = std::ranges::find_if(threads_, is_kept); found != threads_.end()) {
    kept = *found;
    threads_.erase(found);
  }
  return kept;
}

void StoppedProcess::let_go() {
  for (const StoppedThread& thread : std::exchange(threads_, {})) inject::let_go(thread, ledger_);
  const std::vector<pid_t> late = std::exchange(running_, {});
  ledger_.late.insert(ledger_.late.end(), late.begin(), late.end());
}

void let_go_late(TraceLedger& ledger) {
  std::erase_if(ledger.late, [&](pid_t tid) {
    const Look look = look_at(tid, ledger);
    if (look.thread) let_go(*look.thread, ledger);
    return look.is_over;
  });
}

std::optional<StoppedThread> stop_thread(pid_t tid, TraceLedger& ledger) {
  if (kernel::trace_seize(tid, kOptions) != 0) return std::nullopt;
  kernel::trace_interrupt(tid);
  for (int step = 0; is_worth_waiting(step, {&tid, 1}); ++step) {
    if (step != 0) sleep_ns(kWaitStepNs);
    if (const Look look = look_at(tid, ledger); look.is_over) return look.thread;
  }
  ledger.late.push_back(tid);
  return std::nullopt;
}

}  // namespace mini::inject
