// Runs a real trace of a real program and keeps what came of it, for tests.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sources/trace.h"

namespace mini::sources {

class Recorder final : public TraceSink {
 public:
  void on_event(model::Event& event, model::Process& process) override;
  void on_notice(const std::string& line) override { notices.push_back(line); }
  void on_difference(const model::Process& process, const std::string& line) override;
  void on_detach(model::Process& process) override { detached_pids.push_back(process.pid); }

  std::size_t count(model::EventKind kind) const;
  std::size_t count(std::string_view syscall) const;
  const model::Event* find(std::string_view syscall) const;  // the first

  bool keep_events = true;
  std::vector<model::Event> events;
  std::vector<std::string> executables;  // of the event's process, by event
  std::vector<std::string> notices;
  std::vector<std::string> differences;  // each with the process's pid
  std::vector<pid_t> detached_pids;
  std::uint64_t events_count = 0;
};

struct TraceRun {
  Result<TraceOutcome> outcome;
  Recorder recorder;
  std::string output;  // the target's standard output
};

/// Path of tests/unit/sources/targets/NAME.c, built.
std::string target(std::string_view name);

/// Traces `options.command` with its standard output in a file.
TraceRun run_traced(const TraceOptions& options, bool keep_events = true);

/// The same command without a trace: its output, and its exit status as a shell gives it.
struct PlainRun {
  int exit_status = 0;
  std::string output;
};
PlainRun run_plain(const std::vector<std::string>& command);

/// Options for a command, verified after every event.
TraceOptions verified(std::vector<std::string> command);

}  // namespace mini::sources
