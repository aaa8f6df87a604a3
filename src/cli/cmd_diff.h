// `heapspy diff`.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

inline constexpr int kExitGrowth = 3;

/// `words` are those after "diff". Returns the exit status of heapspy.
int run_diff_command(std::span<const std::string> words);

}  // namespace mini::cli
