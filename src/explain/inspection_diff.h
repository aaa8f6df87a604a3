// Two inspections of a process side by side, as their JSON has them: what grew, and which blocks.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "explain/heap_findings.h"

namespace mini::explain {

struct BlocksOfSize {
  std::int64_t blocks = 0;
  std::int64_t bytes = 0;
};

/// What of an inspection's JSON is compared. Bytes; a figure that is not there is 0.
struct InspectionFacts {
  std::int64_t pid = 0;
  std::string executable;
  std::optional<std::string> no_heap_because;
  std::map<std::string, std::int64_t, std::less<>> totals;  // by the names of kInspectionTotals
  std::map<std::string, std::int64_t> kinds;                // of the ledger, by kind
  std::map<std::int64_t, BlocksOfSize> sizes;               // live blocks, by their size
};

inline constexpr std::string_view kInspectionTotals[] = {
    "rss_bytes",    "virtual_bytes", "live_bytes",     "live_blocks",      "free_bytes",
    "cached_bytes", "top_bytes",     "overhead_bytes", "returnable_bytes", "pinned_bytes"};

/// The error says what it is instead.
Result<InspectionFacts> read_inspection_facts(std::string_view json);

struct Change {
  std::int64_t before = 0;
  std::int64_t after = 0;
  std::int64_t growth() const { return after - before; }
};

struct SizeChange {
  std::int64_t block_bytes = 0;
  Change blocks;
  Change bytes;
};

struct InspectionDiff {
  bool is_same_process = true;
  // Why there is no heap in a file: then nothing of a heap is in the figures below.
  std::optional<std::string> no_heap_before;
  std::optional<std::string> no_heap_after;
  std::vector<std::pair<std::string, Change>> totals;
  std::vector<std::pair<std::string, Change>> kinds;  // that changed, the largest change first
  std::vector<SizeChange> sizes;                      // likewise
};

InspectionDiff diff_inspections(const InspectionFacts& before, const InspectionFacts& after);

/// The blocks that grew the most, with the arithmetic; more of a process's own than of two runs'.
std::vector<Finding> find_in_inspection_diff(const InspectionDiff& diff);

}  // namespace mini::explain
