// Records a command: starts it with the agent in it and writes a recording of each of its
// processes.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "sources/recorded_process.h"
#include "wire/channel.h"

namespace mini::sources {

struct RecordOptions {
  std::vector<std::string> command;
  std::string program;  // the command's file, as resolve_command() found it
  std::string agent;    // path of libheapspy-agent.so
  std::string output;   // of the first process; those of others have their process number in it
  std::uint32_t most_frames = 0;
  bool free_stacks = false;
  wire::Overflow overflow = wire::Overflow::kWait;
};

struct RecordOutcome {
  int exit_status = 0;  // of the command, as a shell has it: 128 + signal where one killed it
  std::vector<RecordedResult> recordings;
};

/// Returns when the command and all that it started and that is recorded have ended. Fails where
/// the command could not be started (error_number: execve's) or nothing could be set up.
Result<RecordOutcome> record_command(const RecordOptions& options);

/// The file of a later process: "app.heapspy" -> "app.1234.heapspy", and for the n-th program that
/// one process becomes "app.1234.n.heapspy".
std::string recording_name(const std::string& output, pid_t pid, unsigned image);

}  // namespace mini::sources
