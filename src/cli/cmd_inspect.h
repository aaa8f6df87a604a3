// `heapspy inspect`: where each resident byte of a process is, and what keeps it there.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

/// `words` are those after "inspect". Returns the exit status.
int run_inspect_command(std::span<const std::string> words);

}  // namespace mini::cli
