// What a large block holds, on its way to another place: by page tables where the kernel can.
#pragma once

#include <cstdint>

#include "alloc/pages.h"
#include "alloc/window.h"

namespace mini::alloc {

enum class Move : std::uint8_t {
  kDone,     // `from` reads as zeros and has no memory
  kCopied,   // `from` may have memory, and hold anything
  kNotDone,  // the kernel moves no pages: both are as they were
  kLost,     // `from` is as it was; of `to` pages are missing, which nobody may be given any more
};

/// Has the pages from `to` on hold what the run `from` holds. REQUIRES: both are in use, and nobody
/// else's. Takes no lock: of an extent some of whose pages are in use, `huge` stays as it is.
Move move_contents(Window& window, PageRun from, PageIndex to);

}  // namespace mini::alloc
