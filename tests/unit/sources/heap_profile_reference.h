// What a heap profile should be, by keeping every event and copying everything at every maximum.
#pragma once

#include <cstdint>
#include <map>
#include <string>
#include <tuple>
#include <variant>
#include <vector>

#include "model/heap_profile.h"
#include "recording/event.h"

namespace mini::sources {

using HeapEvent = std::variant<recording::Allocation, recording::Free>;

struct ReferenceTotals {
  model::Amount allocated, freed, lost, temporary, live, peak;
  std::uint64_t resized = 0;
};

struct ReferenceProfile {
  using ByNumber = std::map<std::uint32_t, ReferenceTotals>;
  ReferenceTotals totals;
  ByNumber stacks, threads, sizes;  // by the recording's numbers; sizes by their bits
  std::uint64_t peak_time_ns = 0;
  std::uint64_t frees_not_seen = 0;
};

/// REQUIRES: times do not go back; no weights.
ReferenceProfile reference_profile(const std::vector<HeapEvent>& events);

}  // namespace mini::sources
