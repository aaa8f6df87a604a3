// Stops all threads of a process for a moment, by ptrace, so that its memory and its registers hold
// still while they are read.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>
#include <vector>

#include "kernel/registers.h"

namespace mini::sources {

/// A thread that holds still.
struct StoppedThread {
  pid_t tid = 0;
  int signal = 0;  // that it was about to get
  std::optional<kernel::ThreadRegisters> registers;
};

/// Not thread-safe. Does nothing to a process that somebody else traces.
class ThreadStopper {
 public:
  explicit ThreadStopper(pid_t pid) : pid_(pid) {}
  ThreadStopper(const ThreadStopper&) = delete;
  ThreadStopper& operator=(const ThreadStopper&) = delete;
  ~ThreadStopper() { release(); }

  /// Stops what there is, new threads included, within a bounded time. What cannot be stopped, or
  /// not in time, is not among threads().
  void stop();
  const std::vector<StoppedThread>& threads() const { return stopped_; }
  /// Lets them go on, with the signals that they were to get.
  void release();
  /// To be called now and then after release(): a thread that could not stop in time, as one that
  /// waits in vfork, stops when it can, and is let go then; and the end of one that was killed is
  /// taken, without which its process would never be at its end.
  void release_late_ones();

 private:
  enum class Answer : std::uint8_t { kNothing, kStopped, kGone };

  bool seize_new_threads();
  void await_stops();
  Answer ask(pid_t tid, int* signal) const;

  pid_t pid_;
  bool is_child_ = false;
  std::vector<pid_t> seized_;  // told to stop, and not stopped yet; or killed in their stop
  std::vector<StoppedThread> stopped_;
};

}  // namespace mini::sources
