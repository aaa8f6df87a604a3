// What stands out in an inspection, in words: damage first, then what memory could be given back
// and what keeps it. Pure; thresholds are constants in the source.
#pragma once

#include <vector>

#include "explain/heap_findings.h"
#include "model/inspection.h"

namespace mini::explain {

/// REQUIRES: the ledgers were made. The most important first.
std::vector<Finding> find_in_inspection(const model::Inspection& inspection);

}  // namespace mini::explain
