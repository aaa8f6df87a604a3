// `heapspy lab`: experiments on malloc, predicted and observed.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

/// `words` are those after "lab". Returns the exit status: 1 where an observation is not what was
/// predicted.
int run_lab_command(std::span<const std::string> words);

}  // namespace mini::cli
