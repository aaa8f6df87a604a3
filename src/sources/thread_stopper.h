// Stops all threads of a process for a moment, by ptrace, so that its memory and its registers hold
// still while they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <vector>

#include "kernel/held_job_signals.h"
#include "kernel/registers.h"

namespace mini::sources {

/// A thread that holds still.
struct StoppedThread {
  pid_t tid = 0;
  int signal = 0;        // that it was about to get
  bool is_held = false;  // by a signal as SIGSTOP: it will not go on when it is let go
  std::optional<kernel::ThreadRegisters> registers;
};

/// One that does not.
struct UnstoppedThread {
  pid_t tid = 0;
  int error_number = 0;  // the kernel's refusal; ETIMEDOUT: it did not stop in time; EAGAIN: it was
                         // started while others were being stopped, again and again
};

/// Not thread-safe. Does nothing to a process that somebody else traces.
class ThreadStopper {
 public:
  explicit ThreadStopper(pid_t pid) : pid_(pid) {}
  ThreadStopper(const ThreadStopper&) = delete;
  ThreadStopper& operator=(const ThreadStopper&) = delete;
  ~ThreadStopper() { release(); }

  /// Stops what there is, new threads included, within a bounded time. What cannot be stopped, or
  /// not in time, is not among threads(); returns the first of that.
  std::optional<UnstoppedThread> stop();
  const std::vector<StoppedThread>& threads() const { return stopped_; }
  /// Lets them go on, with the signals that they were to get.
  void release();
  /// To be called now and then after release(): a thread that could not stop in time, as one that
  /// waits in vfork, stops when it can, and is let go then; and the end of one that was killed is
  /// taken, without which its process would never be at its end. False where there are none left.
  bool release_late_ones();

 private:
  enum class Answer : std::uint8_t { kNothing, kStopped, kGone };

  bool seize_new_threads();
  void await_stops(std::uint64_t deadline_ns);
  Answer ask(pid_t tid, StoppedThread& thread) const;

  pid_t pid_;
  bool is_child_ = false;
  std::optional<UnstoppedThread> refused_;
  std::vector<pid_t> seized_;  // told to stop, and not stopped yet; or killed in their stop
  std::vector<StoppedThread> stopped_;
  std::optional<kernel::HeldJobSignals> held_;  // while there are any
};

}  // namespace mini::sources
