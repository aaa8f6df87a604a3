#include "sources/thread_stopper.h"

#include <algorithm>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"

namespace mini::sources {
namespace {

constexpr int kMostRounds = 16;  // of new threads
constexpr int kMostWaits = 2000;
constexpr std::uint64_t kWaitNs = 500'000;

}  // namespace

bool ThreadStopper::seize_new_threads() {
  bool found = false;
  for (const pid_t tid : kernel::read_thread_ids(pid_)) {
    const auto is_stopped = [tid](const StoppedThread& thread) { return thread.tid == tid; };
    const bool is_seized = std::ranges::find(seized_, tid) != seized_.end();
    if (is_seized || std::ranges::any_of(stopped_, is_stopped)) continue;
    if (kernel::trace_seize(tid, 0) != 0) continue;
    kernel::trace_interrupt(tid);
    seized_.push_back(tid);
    found = true;
  }
  return found;
}

// The end of a child of ours is for whoever wants its exit status; of others it has to be taken, or
// their parents would not get it.
ThreadStopper::Answer ThreadStopper::ask(pid_t tid, int* signal) const {
  siginfo_t info{};
  const bool take_end = tid != pid_ || !is_child_;
  const int options = WSTOPPED | WNOHANG | __WALL | (take_end ? WEXITED : 0);
  if (::waitid(P_PID, static_cast<id_t>(tid), &info, options) != 0) return Answer::kGone;
  if (info.si_pid == 0) return Answer::kNothing;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return Answer::kGone;
  // The stop that was asked for has an event above its signal; else a signal is due.
  const bool is_signal = info.si_status >> 8 == 0;
  *signal = is_signal ? info.si_status : 0;
  return Answer::kStopped;
}

void ThreadStopper::await_stops() {
  for (int waits = 0; !seized_.empty() && waits < kMostWaits; ++waits) {
    std::erase_if(seized_, [this](pid_t tid) {
      int signal = 0;
      const Answer answer = ask(tid, &signal);
      if (answer == Answer::kStopped) {
        stopped_.push_back(
            {.tid = tid, .signal = signal, .registers = kernel::read_registers(tid)});
      }
      return answer != Answer::kNothing;
    });
    if (!seized_.empty()) sleep_ns(kWaitNs);
  }
}

void ThreadStopper::stop() {
  const auto status = kernel::read_status(pid_);
  is_child_ = status && status->parent == ::getpid();
  for (int round = 0; round < kMostRounds && seize_new_threads(); ++round) await_stops();
}

// One that was killed while it was stopped cannot be let go: its end is taken when it comes.
void ThreadStopper::release() {
  for (const StoppedThread& thread : stopped_) {
    if (kernel::trace_detach(thread.tid, thread.signal) != 0) seized_.push_back(thread.tid);
  }
  stopped_.clear();
  release_late_ones();
}

void ThreadStopper::release_late_ones() {
  std::erase_if(seized_, [this](pid_t tid) {
    int signal = 0;
    const Answer answer = ask(tid, &signal);
    if (answer == Answer::kStopped) return kernel::trace_detach(tid, signal) == 0;
    return answer == Answer::kGone;
  });
}

}  // namespace mini::sources
