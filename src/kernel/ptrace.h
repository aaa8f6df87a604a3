// ptrace requests, one function each. All return 0 or errno: ESRCH, the thread is gone, is an
// ordinary answer everywhere, since a SIGKILL may come at any moment.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

namespace mini::kernel {

/// ESRCH also of a thread that has ended and is still listed, as a main thread is while others go
/// on, or was just now: the kernel says EPERM there (kernel/ptrace.c, ptrace_attach).
int trace_seize(pid_t tid, unsigned options);
int trace_interrupt(pid_t tid);
int trace_listen(pid_t tid);
int trace_detach(pid_t tid, int signal);
/// Runs on to the next event, delivering `signal` unless it is 0.
int trace_continue(pid_t tid, int signal);
/// The same, to the next entry or exit of a system call at the latest.
int trace_to_syscall(pid_t tid, int signal);

/// The new thread's id at a clone event, the old id at an exec event, the status at an exit event.
std::optional<std::uint64_t> trace_event_message(pid_t tid);

/// The signal that is to be delivered when a thread goes on from a stop, by the stop's wait status;
/// 0 at a stop that is an event. REQUIRES: no stop at a system call.
int signal_due(int wait_status);

/// Who sent the signal a thread is stopped at.
struct SignalOrigin {
  int code = 0;  // SI_USER, SI_KERNEL…
  pid_t sender = 0;
};
std::optional<SignalOrigin> trace_signal_origin(pid_t tid);

/// The signals that a stopped thread blocks, one bit each; where a call like sigsuspend blocks
/// others meanwhile, those that it goes back to.
std::optional<std::uint64_t> trace_signal_mask(pid_t tid);
int trace_set_signal_mask(pid_t tid, std::uint64_t mask);

/// Where a thread is in a system call, at a stop.
struct SyscallStop {
  enum class Kind : std::uint8_t { kNone, kEntry, kExit };
  Kind kind = Kind::kNone;
  bool native = true;        // a call by the native architecture's table
  std::uint64_t number = 0;  // kEntry
  std::int64_t result = 0;   // kExit; -errno where failed
  bool failed = false;
};
std::optional<SyscallStop> trace_syscall_stop(pid_t tid);

}  // namespace mini::kernel
