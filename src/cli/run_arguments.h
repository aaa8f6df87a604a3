// The command line of `heapspy run`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "base/result.h"

namespace mini::cli {

struct RunArguments {
  std::vector<std::string> command;
  std::optional<std::string> library;
  /// Options of the library, by name without MINIMALLOC_, in the order given.
  std::vector<std::pair<std::string, std::string>> settings;
  bool help = false;
};

/// `words` are those after "run". Errors are usage errors: one line, with what to type.
Result<RunArguments> parse_run_arguments(std::span<const std::string> words);

std::string run_help();
std::vector<std::string> run_option_names();

}  // namespace mini::cli
