#include "sources/minimalloc_location.h"

namespace mini::sources {

MinimallocsFound find_minimallocs(const MemoryReader& memory, const model::Inspection& inspection) {
  MinimallocsFound found;
  for (const model::MemoryRegion& region : inspection.regions) {
    const model::Mapping& mapping = region.mapping;
    if (mapping.file_offset != 0 || !mapping.protection.read || !mapping.path.starts_with('/')) {
      continue;
    }
    heaps::MinimallocSearch search = heaps::locate_minimalloc(memory, mapping.range.begin);
    if (search.layout) found.layouts.push_back(*search.layout);
    if (!search.refused.empty()) found.refused = std::move(search.refused);
  }
  return found;
}

}  // namespace mini::sources
