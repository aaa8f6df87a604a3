// Inspects a running process.
#pragma once

#include <sys/types.h>

#include "base/result.h"
#include "model/inspection.h"

namespace mini::sources {

struct InspectOptions {
  bool stop = true;                    // false: what changes while it is read is read as it is
  model::PieceSink* pieces = nullptr;  // gets every piece of the heap, unless it is null
};

/// Stops the process while its mappings and its heap are read, no longer. The ledgers are not made
/// yet (explain/memory_ledger.h).
Result<model::Inspection> inspect_process(pid_t pid, const InspectOptions& options);

}  // namespace mini::sources
