// The cases in the order in which the kernel looks at them: security/yama/yama_lsm.c,
// kernel/ptrace.c.
#include "sources/refusal.h"

#include <cerrno>
#include <csignal>
#include <cstring>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>

#include "kernel/proc_status.h"

namespace mini::sources {
namespace {

constexpr int kOnlyPrivileged = 2;  // for CAP_SYS_PTRACE
constexpr int kNobody = 3;

constexpr std::string_view kContainer =
    "in a container, start it with --cap-add=SYS_PTRACE, or with a seccomp profile that allows "
    "ptrace (--security-opt seccomp=unconfined)";

std::string explain_scope(const Refusal& refusal) {
  const std::string what = fmt::format("kernel.yama.ptrace_scope is {}", refusal.ptrace_scope);
  if (refusal.ptrace_scope >= kNobody) {
    return what + ": nobody may trace, until the machine starts anew without it";
  }
  if (refusal.own_child) {
    return what +
           ": set it to 1 (sudo sysctl kernel.yama.ptrace_scope=1) or run with "
           "CAP_SYS_PTRACE (sudo)";
  }
  return what +
         ": set it to 0 (sudo sysctl kernel.yama.ptrace_scope=0), run with CAP_SYS_PTRACE "
         "(sudo), or start the program by heapspy";
}

bool scope_forbids(const Refusal& refusal) {
  if (refusal.ptrace_scope >= kNobody) return true;
  if (refusal.user == 0) return false;
  return refusal.ptrace_scope >= (refusal.own_child ? kOnlyPrivileged : 1);
}

std::string way_out(const Refusal& refusal) {
  if (refusal.tracer != 0) {
    return fmt::format("it is already traced by process {}{}: a process can have one tracer only",
                       refusal.tracer, refusal.own_child ? ", as heapspy itself is" : "");
  }
  if (refusal.owner && refusal.user != 0 && *refusal.owner != refusal.user) {
    return fmt::format(
        "it belongs to user {}: run heapspy as that user or with CAP_SYS_PTRACE "
        "(sudo)",
        *refusal.owner);
  }
  if (scope_forbids(refusal)) return explain_scope(refusal);
  if (refusal.own_child) return std::string(kContainer);
  return fmt::format(
      "CAP_SYS_PTRACE is missing, or the process protects itself (a set-user-ID "
      "program, prctl PR_SET_DUMPABLE): run heapspy with sudo; {}",
      kContainer);
}

}  // namespace

bool sees_processes() {
  return kernel::read_status(::getpid()).has_value();
}

std::string explain_absence(pid_t pid) {
  if (!sees_processes()) return std::string(kNoProc);
  if (::kill(pid, 0) == 0 || errno == EPERM) {
    return fmt::format(
        "process {} is hidden from you (/proc is mounted with hidepid): run heapspy "
        "with sudo",
        pid);
  }
  return fmt::format("no process has the id {}", pid);
}

std::string explain_refusal(const Refusal& refusal) {
  std::string reason = std::strerror(refusal.error_number);
  if (refusal.error_number == ENOSYS) return fmt::format("{}; {}", reason, kContainer);
  if (refusal.error_number != EPERM && refusal.error_number != EACCES) return reason;
  return fmt::format("{}; {}", reason, way_out(refusal));
}

std::string explain_refusal(pid_t pid, int error_number, bool own_child) {
  Refusal refusal{.error_number = error_number,
                  .own_child = own_child,
                  .user = ::geteuid(),
                  .ptrace_scope = kernel::read_ptrace_scope()};
  if (const auto status = kernel::read_status(pid)) {
    refusal.tracer = status->tracer;
    refusal.owner = status->effective_user;
  }
  return explain_refusal(refusal);
}

}  // namespace mini::sources
