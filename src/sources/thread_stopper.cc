#include "sources/thread_stopper.h"

#include <algorithm>
#include <cerrno>
#include <csignal>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"

namespace mini::sources {
namespace {

constexpr int kMostRounds = 64;  // of new threads
constexpr std::uint64_t kPatienceNs = 2'000'000'000;
constexpr std::uint64_t kBetweenLooksNs = 50'000;

}  // namespace

bool ThreadStopper::seize_new_threads() {
  bool found = false;
  for (const pid_t tid : kernel::read_thread_ids(pid_)) {
    const auto is_stopped = [tid](const StoppedThread& thread) { return thread.tid == tid; };
    const bool is_seized = std::ranges::find(seized_, tid) != seized_.end();
    if (is_seized || std::ranges::any_of(stopped_, is_stopped)) continue;
    if (const int error = kernel::trace_seize(tid, 0); error != 0) {
      const bool has_ended = error == ESRCH;
      if (!has_ended && !refused_) refused_ = {.tid = tid, .error_number = error};
      continue;
    }
    kernel::trace_interrupt(tid);
    seized_.push_back(tid);
    found = true;
  }
  return found;
}

// The end of a child of ours is for whoever wants its exit status; of others it has to be taken, or
// their parents would not get it.
ThreadStopper::Answer ThreadStopper::ask(pid_t tid, StoppedThread& thread) const {
  siginfo_t info{};
  const bool take_end = tid != pid_ || !is_child_;
  const int options = WSTOPPED | WNOHANG | __WALL | (take_end ? WEXITED : 0);
  if (::waitid(P_PID, static_cast<id_t>(tid), &info, options) != 0) return Answer::kGone;
  if (info.si_pid == 0) return Answer::kNothing;
  if (info.si_code != CLD_TRAPPED && info.si_code != CLD_STOPPED) return Answer::kGone;
  // The stop that was asked for has an event above its signal, which is another than SIGTRAP where
  // a signal has stopped the process; without an event, a signal is due.
  constexpr int kEventShift = 8;
  constexpr int kSignalMask = (1 << kEventShift) - 1;
  const bool is_signal = info.si_status >> kEventShift == 0;
  thread.tid = tid;
  thread.signal = is_signal ? info.si_status : 0;
  thread.is_held = !is_signal && (info.si_status & kSignalMask) != SIGTRAP;
  return Answer::kStopped;
}

void ThreadStopper::await_stops(std::uint64_t deadline_ns) {
  for (;;) {
    std::erase_if(seized_, [this](pid_t tid) {
      StoppedThread thread;
      const Answer answer = ask(tid, thread);
      if (answer == Answer::kStopped) {
        thread.registers = kernel::read_registers(tid);
        stopped_.push_back(thread);
      }
      return answer != Answer::kNothing;
    });
    if (seized_.empty() || monotonic_ns() > deadline_ns) return;
    sleep_ns(kBetweenLooksNs);
  }
}

// A thread may start others until it has stopped: the list is read again after that, until it holds
// nothing new.
std::optional<UnstoppedThread> ThreadStopper::stop() {
  const auto status = kernel::read_status(pid_);
  is_child_ = status && status->parent == ::getpid();
  refused_.reset();
  held_.emplace();
  const std::uint64_t deadline_ns = monotonic_ns() + kPatienceNs;
  int round = 0;
  for (; round < kMostRounds && seize_new_threads(); ++round) await_stops(deadline_ns);
  if (refused_) return refused_;
  if (!seized_.empty()) return UnstoppedThread{.tid = seized_.front(), .error_number = ETIMEDOUT};
  if (round == kMostRounds) return UnstoppedThread{.tid = pid_, .error_number = EAGAIN};
  return std::nullopt;
}

// One that was killed while it was stopped cannot be let go: its end is taken when it comes.
void ThreadStopper::release() {
  for (const StoppedThread& thread : stopped_) {
    if (kernel::trace_detach(thread.tid, thread.signal) != 0) seized_.push_back(thread.tid);
  }
  stopped_.clear();
  release_late_ones();
  held_.reset();
}

bool ThreadStopper::release_late_ones() {
  std::erase_if(seized_, [this](pid_t tid) {
    StoppedThread thread;
    const Answer answer = ask(tid, thread);
    if (answer == Answer::kStopped) return kernel::trace_detach(tid, thread.signal) == 0;
    return answer == Answer::kGone;
  });
  return !seized_.empty();
}

}  // namespace mini::sources
