// Inspects a core file.
#pragma once

#include <string>

#include "base/result.h"
#include "sources/inspect_process.h"

namespace mini::sources {

/// `executable`: the program's file, "" for the one that the core names. What of the memory was in
/// RAM a core does not say: all of it that is in the file counts as though it had been.
Result<model::Inspection> inspect_core(const std::string& path, const std::string& executable,
                                       const InspectOptions& options);

}  // namespace mini::sources
