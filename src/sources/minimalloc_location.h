// libminimalloc in a process or a core: found by its note, in whatever file is mapped.
#pragma once

#include <string>
#include <vector>

#include "base/memory_reader.h"
#include "heaps/minimalloc_layout.h"
#include "model/inspection.h"

namespace mini::sources {

struct MinimallocsFound {
  std::vector<heaps::MinimallocLayout> layouts;  // a process may have several
  std::string refused;                           // why one that is there is not read
};

/// Reads the headers of each file that is mapped from its begin.
MinimallocsFound find_minimallocs(const MemoryReader& memory, const model::Inspection& inspection);

}  // namespace mini::sources
