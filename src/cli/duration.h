// Times as people type them on a command line.
#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace mini::cli {

/// "12.5s", "12.5", "340ms", "90us", "7ns", "2m", "1h", in nanoseconds. The error says what a time
/// looks like.
Result<std::uint64_t> parse_duration(std::string_view text);

/// What follows --duration, in nanoseconds, never 0: for how long to watch a process that runs.
Result<std::uint64_t> check_duration(std::string_view text, bool pid_given);

}  // namespace mini::cli
