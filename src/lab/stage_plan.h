// The staged allocators' arithmetic, as their first comments have it: what a block takes of the
// heap, how often the heap grows.
#pragma once

#include <cstdint>

#include "base/units.h"

namespace mini::lab {

inline constexpr Bytes kStageHeader{16};             // of a chunk, from stage 2 on
inline constexpr Bytes kStageMmapThreshold{131072};  // of a chunk, from stage 6 on: a mapping
inline constexpr Bytes kStageStock{131072};          // bought with each growth, from stage 7 on

/// From one block to the next. REQUIRES: 1 <= stage <= 8.
Bytes stage_chunk(int stage, Bytes request);

/// How often the heap grows for blocks of one size, none of which is freed.
/// REQUIRES: their chunks are smaller than the stage's mmap threshold.
std::uint64_t stage_growths(int stage, Bytes request, std::uint64_t blocks);

}  // namespace mini::lab
