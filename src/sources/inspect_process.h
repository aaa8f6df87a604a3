// Inspects a running process.
#pragma once

#include <cstdint>
#include <optional>
#include <sys/types.h>

#include "base/result.h"
#include "model/inspection.h"
#include "sources/inspect_progress.h"

namespace mini::sources {

struct InspectOptions {
  bool stop = true;  // false: what changes while it is read is read as it is
  /// For how long the process may be stopped; what was not read by then is read while it runs.
  std::optional<std::uint64_t> most_pause_ns = {};
  /// The largest heap that is copied; one that is larger is decoded as the process runs on.
  /// nullopt: kernel::MemorySnapshot::most().
  std::optional<Bytes> most_copied = {};
  /// Blocks that nothing leads to. REQUIRES: stop, no most_pause_ns.
  bool find_lost = false;
  model::PieceSink* pieces = nullptr;  // gets every piece of the heap, unless it is null
  InspectProgress progress = {};       // may be empty
};

/// Stops the process while its mappings are read and its heap is copied; the copy is decoded when
/// it runs again. A heap too large to be copied is decoded as it runs on. The
/// ledgers are not made yet (explain/memory_ledger.h).
Result<model::Inspection> inspect_process(pid_t pid, const InspectOptions& options);

}  // namespace mini::sources
