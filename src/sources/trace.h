// The live trace: runs or attaches to a program, follows it, and reports each memory system call
// as a model::Event, with the model of each process kept up to date.
#pragma once

#include <cstdint>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "model/event.h"
#include "model/process.h"
#include "sources/target_settings.h"
#include "unwind/unwinder.h"

namespace mini::sources {

struct TraceOptions {
  std::vector<std::string> command;  // CMD ARG…; empty when attaching
  TargetSettings settings;           // of the command
  pid_t attach_pid = 0;
  std::uint64_t most_ns = 0;  // for which it is traced when attaching; 0: until it ends
  bool follow = true;         // children too
  bool stacks = true;
  bool use_seccomp = true;  // false: plain system call stops, for comparison and tests
  unwind::UnwinderOptions unwinder;
  // Compare each process's model with /proc/PID/maps every this many events and at its exit;
  // 0: never. Differences are passed to TraceSink::on_difference.
  std::uint64_t verify_every = 0;
};

/// Who receives the story. Called from the tracing thread while the thread the event is about is
/// stopped; `process` may be changed by the receiver as explain/ does (labels, phase, ledger).
class TraceSink {
 public:
  TraceSink() = default;
  TraceSink(const TraceSink&) = default;
  TraceSink& operator=(const TraceSink&) = default;
  virtual ~TraceSink() = default;
  virtual void on_event(model::Event& event, model::Process& process) = 0;
  /// Something the user should know once: fallback without seccomp, a 32-bit child, setuid.
  virtual void on_notice(const std::string& line) = 0;
  virtual void on_difference(const model::Process& process, const std::string& line) = 0;
  /// Once for each process that is let go while it runs (Ctrl-C when attached): its last word.
  virtual void on_detach(model::Process&) {}
  /// Now and then while a process that was joined is traced, also where it makes no calls.
  virtual void on_tick() {}
};

struct TraceOutcome {
  int exit_status = 0;  // the target's, or 128 + N when signal N killed it; 0 on detach
  bool detached = false;
  std::uint64_t events_count = 0;
  std::uint64_t lost_count = 0;         // stops whose details could not be read
  std::uint64_t verified_count = 0;     // comparisons with /proc/PID/maps that were made
  unwind::UnwinderStatistics unwinder;  // of all that was traced
};

/// Runs the trace to its end: the first process's exit and that of all it left behind (those that
/// outlive it are followed to their end too), or Ctrl-C or most_ns when
/// attached. Errors are for a target that could not be started or attached to; exit codes 126 and
/// 127 are in error_number's stead (Error::error_number is the errno: ENOENT gives 127, others
/// 126).
Result<TraceOutcome> run_trace(const TraceOptions& options, TraceSink& sink);

}  // namespace mini::sources
