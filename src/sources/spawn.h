// Starts a program as a shell does, with some variables of its environment set.
#pragma once

#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "sources/own_signals.h"
#include "sources/target_settings.h"

namespace mini::sources {

/// The child's process number. Fails with execve's errno where the program could not be run. The
/// child inherits all else that is ours to give, and the signal dispositions that `signals` saved.
Result<pid_t> spawn(const std::string& path, const std::vector<std::string>& command,
                    const Variables& variables, const OwnSignals& signals);

}  // namespace mini::sources
