// `heapspy report`.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

inline constexpr int kExitLeak = 3;

/// `words` are those after "report". Returns the exit status of heapspy.
int run_report_command(std::span<const std::string> words);

}  // namespace mini::cli
