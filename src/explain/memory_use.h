// Stacks whose memory is not used: what the allocator gave beyond what was asked for, and pages
// that were asked for and never touched.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "model/heap_profile.h"

namespace mini::explain {

/// Those that were given more than they asked for at the peak, the most first.
std::vector<model::StackUsable> rounded_stacks(const model::HeapProfile& profile);

struct Untouched {
  model::Amount peak = {};
  std::uint64_t touched_bytes = 0;

  std::uint64_t untouched_bytes() const { return peak.bytes - std::min(peak.bytes, touched_bytes); }
};

struct UntouchedStack : Untouched {
  std::uint32_t node = 0;
};

/// Those of whose memory at the peak pages never became resident, the most first. Only what the
/// kernel's own figure bears out: none where page faults were not recorded.
std::vector<UntouchedStack> untouched_stacks(const model::HeapProfile& profile);

}  // namespace mini::explain
