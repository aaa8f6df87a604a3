// `heapspy run`.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

/// `words` are those after "run". Returns only where the program could not be started.
int run_run_command(std::span<const std::string> words);

}  // namespace mini::cli
