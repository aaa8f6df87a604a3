// Joins a process that is running already.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "sources/tracer.h"

namespace mini::sources {

/// Seizes and interrupts all threads of the process `pid` is in and adds them to the tracer.
/// On failure nothing stays attached.
Result<void> attach(pid_t pid, Tracer& tracer);

}  // namespace mini::sources
