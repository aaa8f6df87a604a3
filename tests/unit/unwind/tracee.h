// A real process under ptrace for the unwinder's tests: runs a program to a stop and shows its
// registers, memory and modules.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/memory_reader.h"
#include "unwind/unwinder.h"

namespace mini::unwind {

class ProcessMemory : public MemoryReader {
 public:
  explicit ProcessMemory(pid_t pid) : pid_(pid) {}
  std::size_t read(Address from, std::span<std::byte> out) const override;

  mutable std::uint64_t reads_count = 0;

 private:
  pid_t pid_;
};

class Tracee {
 public:
  /// Starts argv[0] stopped at its first instruction, its output into a pipe.
  explicit Tracee(const std::vector<std::string>& argv);
  ~Tracee();  // kills it
  Tracee(const Tracee&) = delete;
  Tracee& operator=(const Tracee&) = delete;

  /// Runs until the program (any of its threads) stops itself by SIGSTOP; false if it ended.
  bool run_to_sigstop();
  /// Runs until any thread enters one of these system calls; false if the program ended.
  bool run_to_system_call(const std::vector<long>& numbers);

  /// Executes one instruction; false if the program ended or was stopped by something else.
  bool single_step();

  Registers registers() const;
  std::vector<ModuleMapping> modules() const;
  /// What it has printed so far, up to and with the line that reads "end".
  std::vector<std::string> printed_lines();
  pid_t pid() const { return pid_; }

 private:
  pid_t wait_for_stop(int* status);

  pid_t pid_ = -1;
  pid_t thread_ = -1;  // the one that stopped last
  int output_ = -1;
};

/// The stack of a stopped tracee, as a fresh unwinder sees it.
CallStackRef unwind_tracee(const Tracee& tracee, const UnwinderOptions& options = {});

/// Names of all frames, innermost first; "?" for those without.
std::vector<std::string> function_names(const CallStack& stack);

}  // namespace mini::unwind
