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

/// What of an inspection's JSON is compared. Bytes.
struct InspectionFacts {
  std::int64_t pid = 0;
  std::string executable;
  bool is_core = false;  // of which nobody knows what was resident
  std::optional<std::string> no_heap_because;
  /// By the names of kInspectionTotals; nullopt where the file has none.
  std::map<std::string, std::optional<std::int64_t>, std::less<>> totals;
  std::map<std::string, std::int64_t> resident_kinds;  // of the ledger, by kind; none of a core
  std::map<std::string, std::int64_t> mapped_kinds;
  std::map<std::int64_t, BlocksOfSize> sizes;  // live blocks, by their size
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

struct TotalChange {
  std::string name;
  std::optional<std::int64_t> before;  // nullopt: not known, or not comparable to the other
  std::optional<std::int64_t> after;
  /// nullopt where one of them is.
  std::optional<Change> change() const {
    return before && after ? std::optional(Change{*before, *after}) : std::nullopt;
  }
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
  bool is_core_before = false;
  bool is_core_after = false;
  std::vector<TotalChange> totals;
  /// Of resident memory, with a core of mapped memory.
  bool compares_resident() const { return !is_core_before && !is_core_after; }
  std::vector<std::pair<std::string, Change>> kinds;  // that changed, the largest change first
  std::vector<SizeChange> sizes;                      // likewise
};

InspectionDiff diff_inspections(const InspectionFacts& before, const InspectionFacts& after);

/// The blocks that grew the most, with the arithmetic; free memory that grew, and memory outside
/// the heap.
std::vector<Finding> find_in_inspection_diff(const InspectionDiff& diff);

}  // namespace mini::explain
