#include "lab/measured_run.h"

#include <cerrno>
#include <cstring>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "base/clock.h"
#include "kernel/file_descriptor.h"
#include "kernel/memory_gauge.h"
#include "kernel/ptrace.h"
#include "lab/traced_run.h"
#include "sources/launch.h"
#include "sources/own_signals.h"
#include "views/event_facts.h"

namespace mini::lab {
namespace {

bool is_event(int status, int event) {
  return status >> 8 == (SIGTRAP | (event << 8));
}

// Until the process has ended. Its threads are not traced; it stops at its signals and once, while
// its memory is still there, at its end.
Result<void> run_to_end(pid_t pid, std::uint64_t started_ns, Cost& cost) {
  while (true) {
    int status = 0;
    const pid_t changed = ::waitpid(pid, &status, __WALL);
    if (changed < 0 && errno == EINTR) continue;
    if (changed < 0) return fail(fmt::format("cannot wait: {}", std::strerror(errno)), errno);
    if (WIFSTOPPED(status)) {
      if (is_event(status, PTRACE_EVENT_EXIT)) {
        cost.elapsed_ns = monotonic_ns() - started_ns;
        if (const auto reading = kernel::MemoryGauge(pid).read()) {
          cost.peak_resident = reading->peak_resident;
          cost.page_faults = reading->minor_faults + reading->major_faults;
        }
      }
      kernel::trace_continue(pid, kernel::signal_due(status));
      continue;
    }
    if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return {};
    return fail(views::ending_of(status).description);
  }
}

Result<void> measure_time(const std::vector<std::string>& command,
                          const sources::Variables& variables, Cost& cost) {
  const auto path = sources::resolve_command(command.front());
  if (!path) return std::unexpected(path.error());
  const kernel::FileDescriptor nothing(::open("/dev/null", O_RDWR | O_CLOEXEC));
  const sources::TargetSettings settings{
      .variables = variables, .input = nothing.get(), .output = nothing.get()};
  const sources::OwnSignals signals(sources::OwnSignals::Mode::kLaunch);
  const auto launched = sources::launch(*path, command, settings, false,
                                        PTRACE_O_TRACEEXIT | PTRACE_O_EXITKILL, signals);
  if (!launched) return std::unexpected(launched.error());
  sources::OwnSignals::pass_to(launched->pid);
  const auto ended = run_to_end(launched->pid, monotonic_ns(), cost);
  if (!ended) return fail(fmt::format("{}: {}", command.front(), ended.error().message));
  return {};
}

}  // namespace

Result<Cost> measure(const std::vector<std::string>& command, const sources::Variables& variables) {
  Cost cost;
  if (auto measured = measure_time(command, variables, cost); !measured) {
    sources::OwnSignals::end_as_asked();
    return std::unexpected(measured.error());
  }
  const auto traced = run_traced({.command = command, .variables = variables, .stacks = false});
  if (!traced) return std::unexpected(traced.error());
  for (const auto& [name, calls] : traced->ledger.calls_by_syscall) {
    const bool is_memory_call = name != "execve" && name != "exit" && name != "prctl";
    if (is_memory_call) cost.memory_calls += calls;
    if (name == "brk") cost.break_calls = calls;
  }
  return cost;
}

std::vector<Allocator> allocators(const Places& places, int first_stage) {
  constexpr int kLastStage = 8;
  std::vector<Allocator> all;
  for (int stage = first_stage; stage <= kLastStage; ++stage) {
    all.push_back({fmt::format("stage {}", stage), places.stage(stage)});
  }
  all.push_back({"glibc", ""});
  if (!places.minimalloc().empty()) all.push_back({"libminimalloc", places.minimalloc()});
  return all;
}

sources::Variables preload(const Allocator& allocator) {
  if (allocator.library.empty()) return {};
  return {{"LD_PRELOAD", allocator.library}};
}

}  // namespace mini::lab
