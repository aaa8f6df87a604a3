// `heapspy trace`.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

inline constexpr int kExitOutputError = 1;
inline constexpr int kExitUsage = 2;
inline constexpr int kExitCannotRun = 126;
inline constexpr int kExitNotFound = 127;

/// `words` are those after "trace". Returns the exit status of heapspy.
int run_trace_command(std::span<const std::string> words);

}  // namespace mini::cli
