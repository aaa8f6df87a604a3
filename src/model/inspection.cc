#include "model/inspection.h"

#include <algorithm>
#include <array>
#include <iterator>

namespace mini::model {

std::string_view figure_tag_name(FigureTag tag) {
  static constexpr std::array<std::string_view, 4> kNames = {"measured", "derived", "estimated",
                                                             "unknown"};
  return kNames.at(static_cast<std::size_t>(tag));
}

std::string_view heap_reading_name(HeapReading reading) {
  static constexpr std::array<std::string_view, 5> kNames = {
      "copied", "running_too_large", "stopped_for_leaks", "running", "core"};
  return kNames.at(static_cast<std::size_t>(reading));
}

std::string_view memory_kind_name(MemoryKind kind) {
  static constexpr std::array<std::string_view, kMemoryKindCount> kNames = {
      "live_blocks",  "mmapped_blocks", "cached_blocks", "free_in_bins",    "free_top",
      "overhead",     "foreign_break",  "unknown_heap",  "heap_rest",       "main_stack",
      "thread_stack", "file",           "shared_memory", "other_anonymous", "kernel",
      "heapspy",      "remainder"};
  return kNames.at(static_cast<std::size_t>(kind));
}

const MemoryRegion* Inspection::region_of(Address address) const {
  const auto after = std::ranges::upper_bound(
      regions, address, {}, [](const MemoryRegion& region) { return region.mapping.range.begin; });
  if (after == regions.begin()) return nullptr;
  const MemoryRegion& before = *std::prev(after);
  return before.mapping.range.contains(address) ? &before : nullptr;
}

}  // namespace mini::model
