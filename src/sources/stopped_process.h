// Stops all threads of a process for a moment, and lets them go on as though nothing had been.
#pragma once

#include <cstdint>
#include <memory>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "model/inspection.h"
#include "sources/thread_stopper.h"

namespace mini::sources {

/// Stopped from stop() until it is resumed or destroyed. If heapspy dies, the kernel lets the
/// threads go. Signals that arrive meanwhile are delivered when they go on.
class StoppedProcess {
 public:
  /// Fails where a thread runs on. REQUIRES: pid is a process's id, as check_target returns it.
  static Result<StoppedProcess> stop(pid_t pid);

  StoppedProcess(StoppedProcess&& other) noexcept = default;
  StoppedProcess& operator=(StoppedProcess&&) = delete;
  ~StoppedProcess() { resume(); }

  /// With their registers.
  const std::vector<model::InspectedThread>& threads() const { return threads_; }

  /// It was stopped already, by a signal as SIGSTOP: it will not go on when it is resumed.
  bool is_held() const { return is_held_; }

  /// Returns for how many nanoseconds it was stopped; 0 when called again.
  std::uint64_t resume();

 private:
  explicit StoppedProcess(pid_t pid) : stopper_(std::make_unique<ThreadStopper>(pid)) {}
  void take_registers();

  std::unique_ptr<ThreadStopper> stopper_;  // nullptr once resumed
  std::vector<model::InspectedThread> threads_;
  std::uint64_t begin_ns_ = 0;
  bool is_held_ = false;
};

}  // namespace mini::sources
