// `heapspy record`: every allocation of a program with its stack, in a file.
#pragma once

#include <span>
#include <string>

namespace mini::cli {

/// `words` are those after "record". Returns the exit status.
int run_record_command(std::span<const std::string> words);

}  // namespace mini::cli
