// The search for leaks in a live process: it is stopped, its memory read from outside, and let go.
#pragma once

#include <span>

#include "heaps/reachability.h"
#include "recording/event.h"
#include "sources/thread_stopper.h"

namespace mini::sources {

/// `pid`: the process, or a thread that it has its memory by. REQUIRES: the process's threads are
/// those of `threads`, as far as they could be stopped; blocks are in the order of their addresses.
/// Where not all blocks are known, less is found: what is not known may point to what is.
recording::LeakScan scan_for_leaks(pid_t pid, std::span<const StoppedThread> threads,
                                   std::span<const heaps::LiveRange> blocks, bool has_all_blocks);

}  // namespace mini::sources
