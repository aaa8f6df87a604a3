// The heap of a staged allocator with boundary tags, read chunk by chunk: stages 5 to 8.
#pragma once

#include <cstddef>
#include <span>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "lab/heap_strip.h"

namespace mini::lab {

/// A chunk says how long it is, and the next begins where it ends (lab/stages/stage5_coalescing.c).
/// Chunks as far as they follow from each other; fences are pieces in use. What a thread of stage 8
/// keeps in its cache is not marked, and counts as in use.
std::vector<StripPiece> stage_chunks(std::span<const std::byte> heap);

/// Of a process that stands still; `heap` is its heap of the program break.
Result<std::vector<StripPiece>> read_stage_heap(pid_t pid, AddressRange heap);

}  // namespace mini::lab
