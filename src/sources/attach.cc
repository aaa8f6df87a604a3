// Threads may start others while they are being seized; so the list is read again until it holds
// nothing new. What a seized thread starts is traced from birth.
#include "sources/attach.h"

#include <cerrno>
#include <fmt/format.h>
#include <optional>
#include <set>
#include <string>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kernel/elf_class.h"
#include "kernel/freezer.h"
#include "kernel/proc_file.h"
#include "kernel/proc_status.h"
#include "kernel/ptrace.h"
#include "sources/refusal.h"
#include "sources/tracer.h"

namespace mini::sources {
namespace {

void undo(const std::set<pid_t>& seized) {
  for (const pid_t tid : seized) {
    kernel::trace_interrupt(tid);
    int status = 0;
    if (::waitpid(tid, &status, __WALL) != tid || !WIFSTOPPED(status)) continue;
    // It may have been on its way to a signal, which it gets.
    kernel::trace_detach(tid, kernel::signal_due(status));
  }
}

/// Nobody's threads come to a stop that the freezer of cgroup v1 holds; and what one of v2 holds is
/// stopped, but does nothing.
std::optional<std::string> why_too_cold(pid_t pid, TargetUse use) {
  const kernel::Frozen frozen =
      use == TargetUse::kReadOnly ? kernel::Frozen::kNo : kernel::read_frozen(pid);
  if (frozen == kernel::Frozen::kNo) return std::nullopt;
  if (use == TargetUse::kTrace) {
    return fmt::format(
        "process {} is frozen with its control group, as by docker pause: let it go on "
        "first",
        pid);
  }
  if (frozen == kernel::Frozen::kStoppable) return std::nullopt;
  return fmt::format(
      "process {} is frozen with its control group, and need not be stopped to be read: "
      "use --no-stop",
      pid);
}

}  // namespace

Result<kernel::ProcessStatus> check_target(pid_t pid, TargetUse use) {
  auto status = kernel::read_status(pid);
  if (!status) return fail(explain_absence(pid), ESRCH);
  if (status->thread_group == ::getpid()) {
    return fail(fmt::format("process {} is heapspy itself", pid), EINVAL);
  }
  const pid_t process = status->thread_group;
  const pid_t reader = kernel::thread_with_memory(process);
  if (use == TargetUse::kTrace && reader != process) {
    return fail(fmt::format("the main thread of process {} has ended, and others go on: such a "
                            "process can be inspected (heapspy inspect {}), or recorded or traced "
                            "from its beginning on",
                            process, process),
                EINVAL);
  }
  if (reader != process) status = kernel::read_status(reader);
  if (!status || status->has_ended()) {
    return fail(status ? fmt::format("process {} has ended (a zombie waiting for its parent {})",
                                     pid, status->parent)
                       : fmt::format("process {} has just ended", pid),
                ESRCH);
  }
  if (status->kernel_thread) {
    return fail(fmt::format("process {} is a kernel thread: it has no memory of its own", pid),
                EPERM);
  }
  if (use != TargetUse::kReadOnly && status->tracer != 0) {
    return fail(fmt::format("process {} is already traced by process {}: a process can have one "
                            "tracer only",
                            pid, status->tracer),
                EPERM);
  }
  const auto kind = kernel::classify_process(reader);
  if (kind == kernel::FileKind::kElf32) {
    return fail(fmt::format("process {} is a 32-bit program: heapspy knows 64-bit ones", pid),
                ENOEXEC);
  }
  if (const auto why = why_too_cold(process, use)) return fail(*why, EBUSY);
  return *status;
}

Result<void> attach(pid_t pid, Tracer& tracer) {
  const auto status = check_target(pid, TargetUse::kTrace);
  if (!status) return std::unexpected(status.error());
  const pid_t process = status->thread_group;
  const unsigned options = Tracer::ptrace_options(false, false);
  std::set<pid_t> seized;
  for (bool found_new = true; found_new;) {
    found_new = false;
    for (const pid_t tid : kernel::read_thread_ids(process)) {
      if (seized.contains(tid)) continue;
      const int error = kernel::trace_seize(tid, options);
      if (error == ESRCH) continue;  // ended meanwhile
      if (error != 0) {
        // A thread that one of ours started is ours already.
        const auto now = kernel::read_status(tid);
        if (now && now->tracer == ::gettid()) {
          seized.insert(tid);
          continue;
        }
        undo(seized);
        return fail(
            fmt::format("cannot trace process {}: {}", pid, explain_refusal(tid, error, false)),
            error);
      }
      seized.insert(tid);
      found_new = true;
    }
  }
  if (seized.empty()) return fail(fmt::format("process {} has just ended", pid), ESRCH);
  for (const pid_t tid : seized) {
    kernel::trace_interrupt(tid);
    tracer.add_attached(process, tid);
  }
  return {};
}

}  // namespace mini::sources
