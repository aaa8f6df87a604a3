// Starts a program under trace: found as execvp would, with nothing of ours in it.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "kernel/file_descriptor.h"
#include "sources/own_signals.h"
#include "sources/target_settings.h"

namespace mini::sources {

/// Where the command is. Fails with ENOENT where there is none (exit code 127) and with another
/// errno where it cannot be executed (126).
Result<std::string> resolve_command(const std::string& name);

/// A child that is traced already and is about to call execve.
struct Launched {
  pid_t pid = 0;
  bool filtered = false;  // false: the seccomp filter could not be installed, see filter_errno
  int filter_errno = 0;
  kernel::FileDescriptor status;  // execve's errno arrives here if it fails
};

/// `options` are ptrace's. But for `settings` the child inherits all that is ours to give:
/// descriptors that are not close-on-exec, environment, and the signal dispositions and mask that
/// `signals` saved.
Result<Launched> launch(const std::string& path, const std::vector<std::string>& command,
                        const TargetSettings& settings, bool use_seccomp, unsigned options,
                        const OwnSignals& signals);

/// execve's errno, after a launched child ended before it ran the program; 0 where none arrived.
int read_exec_error(const Launched& launched);

}  // namespace mini::sources
