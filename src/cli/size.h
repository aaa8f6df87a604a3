// Sizes as people type them on a command line.
#pragma once

#include <string_view>

#include "base/result.h"
#include "base/units.h"

namespace mini::cli {

/// "4096", "64K", "64k", "64KiB", "64 kb", "1.5M", "2G": units are binary whether or not they say
/// so. The error says what a size looks like.
Result<Bytes> parse_size(std::string_view text);

}  // namespace mini::cli
