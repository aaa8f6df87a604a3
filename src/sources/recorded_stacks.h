// Which stacks allocated the blocks that an inspection names, by a recording of the same process.
#pragma once

#include <string>

#include "base/result.h"
#include "model/inspection.h"

namespace mini::sources {

/// Fills in the stacks of pins whose blocks the recording has, and has not seen freed. The
/// recording may be going on still. Fails where it cannot be read, or is of another process.
Result<void> add_recorded_stacks(const std::string& recording, model::Inspection& inspection);

}  // namespace mini::sources
