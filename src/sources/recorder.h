// Records a command, which it starts with the agent in it, or a process that runs already, into
// which it puts the agent; and writes a recording of each process.
#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "sources/recorded_process.h"
#include "sources/unrecorded_programs.h"
#include "wire/channel.h"

namespace mini::sources {

struct RecordOptions {
  std::vector<std::string> command;
  std::string program;              // the command's file, as resolve_command() found it
  pid_t process = 0;                // to be joined, instead of a command
  std::uint64_t most_ns = 0;        // for which a process is recorded; 0: until it ends
  std::function<void()> on_joined;  // called when its recording begins
  // Called when a recording can be written no further while its process runs, once for each reason.
  std::function<void(const std::string& path, const Error& why)> on_failure;
  std::string agent;   // path of libheapspy-agent.so
  std::string output;  // of the first process; those of others have their process number in it
  std::uint32_t most_frames = 0;
  bool free_stacks = false;
  Bytes sample;  // mean distance of sampled bytes; 0: every allocation
  wire::Overflow overflow = wire::Overflow::kWait;
  bool finds_leaks = false;
  bool first_touch = false;  // record page faults, too
};

struct RecordOutcome {
  int exit_status = 0;  // of the command, as a shell has it: 128 + signal where one killed it
  std::vector<RecordedResult> recordings;
  UnrecordedPrograms unrecorded;  // what the processes became or started
  std::uint32_t unserved = 0;     // processes that came while wire::kSlots others were recorded
  std::uint32_t roomless = 0;     // processes without address space for the agent
};

/// Returns when the command and all that it started and that is recorded have ended. Fails where
/// the command could not be started (error_number: execve's) or nothing could be set up.
Result<RecordOutcome> record_command(const RecordOptions& options);

/// Joins options.process. Returns when it has ended, a signal asked for the end (SIGINT, SIGTERM…)
/// or the time is over; what still runs then goes on without the agent. Fails where it cannot be
/// joined: then it is as it was.
Result<RecordOutcome> record_process(const RecordOptions& options);

}  // namespace mini::sources
