// Joins a process that is running already.
#pragma once

#include <cstdint>
#include <sys/types.h>

#include "base/result.h"
#include "kernel/proc_status.h"

namespace mini::sources {

class Tracer;

enum class TargetUse : std::uint8_t { kTrace, kStop, kReadOnly };

/// Whether the process `pid` is in may be looked at at all: it is there, has memory, is 64-bit, is
/// not heapspy and, to be traced or stopped, is not traced already; to be traced, its main thread
/// has not ended; it is not frozen so that this would wait for it. The error says what is the
/// matter. The status is that of a thread that has memory.
Result<kernel::ProcessStatus> check_target(pid_t pid, TargetUse use);

/// Seizes and interrupts all threads of the process `pid` is in and adds them to the tracer.
/// On failure nothing stays attached.
Result<void> attach(pid_t pid, Tracer& tracer);

}  // namespace mini::sources
