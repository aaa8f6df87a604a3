// PTRACE_SEIZE and PTRACE_INTERRUPT send no signal, so the target cannot notice; PTRACE_O_EXITKILL
// is not set, so it outlives us.
#include "inject/stopped_process.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <cstring>
#include <ctime>
#include <fmt/format.h>
#include <set>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>
#include <utility>

#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"

namespace mini::inject {
namespace {

constexpr unsigned kOptions = PTRACE_O_TRACESYSGOOD;
constexpr int kWaitSteps = 400;  // of half a millisecond
constexpr long kWaitStepNs = 500'000;
constexpr int kMostRounds = 64;  // of reading the list of threads

void pause_shortly() {
  const timespec time{0, kWaitStepNs};
  ::nanosleep(&time, nullptr);
}

/// One that did not stop when it was seized before, and has not been let go yet.
bool is_ours(pid_t tid) {
  const auto status = kernel::read_status(tid);
  return status && status->tracer == ::getpid();
}

bool is_job_control(int signal) {
  return signal == SIGSTOP || signal == SIGTSTP || signal == SIGTTIN || signal == SIGTTOU;
}

/// A stop as waitpid tells it; nullopt where the thread has ended.
struct Stop {
  int signal = 0;       // to be delivered
  bool is_job = false;  // Ctrl-Z or SIGSTOP: not our stop
};
std::optional<Stop> stop_of(int status) {
  if (!WIFSTOPPED(status)) return std::nullopt;
  const int signal = WSTOPSIG(status);
  if (status >> 16 == PTRACE_EVENT_STOP) return Stop{.is_job = is_job_control(signal)};
  return Stop{.signal = signal};
}

}  // namespace

StoppedProcess::StoppedProcess(StoppedProcess&& other) noexcept
    : pid_(other.pid_),
      running_(std::exchange(other.running_, {})),
      threads_(std::exchange(other.threads_, {})) {}

StoppedProcess::~StoppedProcess() {
  for (const pid_t tid : let_go()) let_go_late(tid);
}

Result<StoppedProcess> StoppedProcess::stop(pid_t pid) {
  StoppedProcess process(pid);
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
  if (threads_.empty()) return fail(fmt::format("process {} has just ended", pid_), ESRCH);
  return {};
}

Result<void> StoppedProcess::wait_for_all() {
  for (int step = 0; !running_.empty() && step < kWaitSteps; ++step) {
    if (step != 0) pause_shortly();
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
  int status = 0;
  const pid_t came = ::waitpid(tid, &status, __WALL | WNOHANG);
  if (came == 0) return false;
  const auto stop = came == tid ? stop_of(status) : std::nullopt;
  if (!stop) return true;  // it has ended
  StoppedThread thread{.tid = tid, .signal = stop->signal};
  const auto context = kernel::read_context(tid);
  if (context) thread.context = *context;
  threads_.push_back(thread);
  if (stop->is_job) {
    std::erase(running_, tid);
    return fail(fmt::format("process {} is stopped (Ctrl-Z or SIGSTOP): let it go on first, with "
                            "'kill -CONT {}'",
                            pid_, pid_),
                EBUSY);
  }
  return true;
}

kernel::ThreadContext resume_point(const StoppedThread& thread) {
  const bool says_eintr = static_cast<std::int64_t>(thread.context.rax) == -EINTR;
  const bool no_signal =
      says_eintr && thread.signal == 0 && !kernel::has_signal_waiting(thread.tid);
  return kernel::resume_point(thread.context, no_signal);
}

void let_go(const StoppedThread& thread) {
  // What the kernel starts again by itself is left to it.
  const kernel::ThreadContext at = resume_point(thread);
  const bool says_eintr = static_cast<std::int64_t>(thread.context.rax) == -EINTR;
  if (says_eintr && at.rip != thread.context.rip) kernel::write_context(thread.tid, at);
  kernel::trace_detach(thread.tid, thread.signal);
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

std::vector<pid_t> StoppedProcess::let_go() {
  for (const StoppedThread& thread : std::exchange(threads_, {})) inject::let_go(thread);
  return std::exchange(running_, {});
}

bool let_go_late(pid_t tid) {
  int status = 0;
  const pid_t came = ::waitpid(tid, &status, __WALL | WNOHANG);
  if (came == 0) return false;
  if (came != tid || !WIFSTOPPED(status)) return true;
  const auto stop = stop_of(status);
  kernel::trace_detach(tid, stop ? stop->signal : 0);
  return true;
}

std::optional<StoppedThread> stop_thread(pid_t tid) {
  if (kernel::trace_seize(tid, kOptions) != 0) return std::nullopt;
  kernel::trace_interrupt(tid);
  for (int step = 0; step < kWaitSteps; ++step) {
    int status = 0;
    const pid_t came = ::waitpid(tid, &status, __WALL | WNOHANG);
    if (came == 0) {
      pause_shortly();
      continue;
    }
    const auto stop = came == tid ? stop_of(status) : std::nullopt;
    const auto context = stop ? kernel::read_context(tid) : std::nullopt;
    if (!context) break;
    return StoppedThread{.tid = tid, .signal = stop->signal, .context = *context};
  }
  return std::nullopt;
}

}  // namespace mini::inject
