// A process held still for a moment: all its threads seized, each where something can be done with
// it. They go on when this ends, and by the kernel's own doing if we are killed.
#pragma once

#include <optional>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "base/result.h"
#include "inject/interrupted_calls.h"
#include "kernel/thread_context.h"

namespace mini::inject {

/// What is known of threads between two stops of them.
struct TraceLedger {
  InterruptedCalls interrupted;
  std::vector<pid_t> late;  // seized, did not stop in time, and are yet to be let go
};

/// A thread that is stopped by us.
struct StoppedThread {
  pid_t tid = 0;
  int signal = 0;  // that it was about to get, and gets when it goes on
  kernel::ThreadContext context{};
};

class StoppedProcess {
 public:
  /// Fails where the kernel refuses (error_number), or the process was stopped by somebody else.
  /// `ledger` must outlive it.
  static Result<StoppedProcess> stop(pid_t pid, TraceLedger& ledger);

  StoppedProcess(StoppedProcess&& other) noexcept;
  StoppedProcess& operator=(StoppedProcess&& other) = delete;
  ~StoppedProcess() { let_go(); }

  /// Threads that could not be stopped (in an uninterruptible wait: a vfork, a slow disk) are not
  /// in it, but in the ledger: they run no code of the program. All may be such.
  const std::vector<StoppedThread>& threads() const { return threads_; }

  /// Whether a thread is in code that another heapspy left it in: that has to be over before one is
  /// borrowed. Its wait there for that heapspy ends as soon as it is let go.
  bool let_through_our_code(const MemoryReader& memory);

  /// Lets all go on but one, which stays stopped and is the caller's to let go.
  StoppedThread let_go_all_but(pid_t tid);
  /// Lets all go on.
  void let_go();

 private:
  StoppedProcess(pid_t pid, TraceLedger& ledger) : pid_(pid), ledger_(ledger) {}
  Result<void> seize_all();
  Result<void> wait_for_all();
  Result<bool> take_stop(pid_t tid);

  pid_t pid_;
  TraceLedger& ledger_;
  std::vector<pid_t> running_;  // seized, and not stopped yet
  std::vector<StoppedThread> threads_;
};

/// Lets a stopped thread go on from where it was, as if nothing had been.
void let_go(const StoppedThread& thread, TraceLedger& ledger);

/// The same for those of the late ones that have come to a stop. To be called again and again as
/// long as there are any.
void let_go_late(TraceLedger& ledger);

/// Where a thread that was stopped goes on: kernel::resume_point() with a look at its signals.
kernel::ThreadContext resume_point(const StoppedThread& thread);

/// Seizes one thread and stops it. nullopt where it does not come (it is late then), or is gone.
std::optional<StoppedThread> stop_thread(pid_t tid, TraceLedger& ledger);

}  // namespace mini::inject
