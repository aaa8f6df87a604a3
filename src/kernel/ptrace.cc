// The requests themselves; errno is turned into a return value here and nowhere else.
#include "kernel/ptrace.h"

#include <cerrno>
#include <csignal>
#include <linux/types.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "kernel/proc_status.h"
#include "kernel/registers.h"

namespace mini::kernel {
namespace {

template <typename Address, typename Data>
int request(__ptrace_request what, pid_t tid, Address address, Data data) {
  return ::ptrace(what, tid, address, data) == -1 ? errno : 0;
}

long widen(int signal) {
  return signal;
}

// include/uapi/linux/ptrace.h (Linux 3.11); glibc's header has them since 2.18 by other types.
constexpr auto kGetSignalMask = static_cast<__ptrace_request>(0x420a);
constexpr auto kSetSignalMask = static_cast<__ptrace_request>(0x420b);

}  // namespace

int trace_seize(pid_t tid, unsigned options) {
  const int error = request(PTRACE_SEIZE, tid, 0L, static_cast<unsigned long>(options));
  if (error != EPERM) return error;
  const auto status = read_status(tid);
  return !status || status->has_ended() ? ESRCH : EPERM;
}

int trace_interrupt(pid_t tid) {
  return request(PTRACE_INTERRUPT, tid, 0L, 0L);
}

int trace_listen(pid_t tid) {
  return request(PTRACE_LISTEN, tid, 0L, 0L);
}

int trace_detach(pid_t tid, int signal) {
  return request(PTRACE_DETACH, tid, 0L, widen(signal));
}

int trace_continue(pid_t tid, int signal) {
  return request(PTRACE_CONT, tid, 0L, widen(signal));
}

int trace_to_syscall(pid_t tid, int signal) {
  return request(PTRACE_SYSCALL, tid, 0L, widen(signal));
}

int signal_due(int wait_status) {
  return wait_status >> 16 == 0 ? WSTOPSIG(wait_status) : 0;
}

std::optional<std::uint64_t> trace_event_message(pid_t tid) {
  unsigned long message = 0;
  if (request(PTRACE_GETEVENTMSG, tid, 0L, &message) != 0) return std::nullopt;
  return message;
}

std::optional<SignalOrigin> trace_signal_origin(pid_t tid) {
  siginfo_t info{};
  if (request(PTRACE_GETSIGINFO, tid, 0L, &info) != 0) return std::nullopt;
  return SignalOrigin{info.si_code, info.si_pid};
}

std::optional<std::uint64_t> trace_signal_mask(pid_t tid) {
  std::uint64_t mask = 0;
  if (request(kGetSignalMask, tid, sizeof mask, &mask) != 0) return std::nullopt;
  return mask;
}

int trace_set_signal_mask(pid_t tid, std::uint64_t mask) {
  return request(kSetSignalMask, tid, sizeof mask, &mask);
}

std::optional<SyscallStop> trace_syscall_stop(pid_t tid) {
  __ptrace_syscall_info info{};
  if (request(PTRACE_GET_SYSCALL_INFO, tid, sizeof info, &info) != 0) return std::nullopt;
  SyscallStop stop;
  stop.native = info.arch == kNativeAuditArch;
  if (info.op == PTRACE_SYSCALL_INFO_ENTRY || info.op == PTRACE_SYSCALL_INFO_SECCOMP) {
    stop.kind = SyscallStop::Kind::kEntry;
    stop.number = info.op == PTRACE_SYSCALL_INFO_ENTRY ? info.entry.nr : info.seccomp.nr;
  } else if (info.op == PTRACE_SYSCALL_INFO_EXIT) {
    stop.kind = SyscallStop::Kind::kExit;
    stop.result = info.exit.rval;
    stop.failed = info.exit.is_error != 0;
  }
  return stop;
}

}  // namespace mini::kernel
