// Tries what malloc_trim(0) gives back: by having a running process call it.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "model/trim_trial.h"

namespace mini::sources {

/// `predicted`: what an inspection said before. Fails where the call cannot be made; it may have
/// been made all the same where the process ended meanwhile.
Result<model::TrimTrial> try_trim(pid_t pid, Bytes predicted);

}  // namespace mini::sources
