// A heap profile of a recording's file.
#pragma once

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "base/result.h"
#include "model/heap_profile.h"

namespace mini::sources {

/// Told now and then how much of the file has been read.
using ReadProgress = std::function<void(std::uint64_t read_bytes, std::uint64_t file_bytes)>;

/// How finely the timeline of a profile is divided, at most.
inline constexpr std::size_t kTimelineBuckets = 512;

/// Reads the whole file, whatever its length, in memory for what is live at once and for stacks. A
/// damaged or cut file gives a profile of what is sound, with what was lost.
Result<model::HeapProfile> read_heap_profile(const std::string& path, model::TimeSpan span,
                                             const ReadProgress& progress,
                                             std::size_t most_buckets = kTimelineBuckets,
                                             model::StackDivision division = {});

}  // namespace mini::sources
