// Files under names that somebody else chose.
#pragma once

#include <string>

#include "base/result.h"

namespace mini {

/// Opens a regular file to read it; the caller closes the descriptor. What else a name leads to is
/// not opened: with some devices that alone does something, as a watchdog that runs from then on or
/// a tape that is wound back, and who opens a FIFO lets its writer go on.
Result<int> open_regular_file(const std::string& path);

}  // namespace mini
