// The command line of `heapspy lab`.
#pragma once

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/terminal.h"

namespace mini::cli {

struct LabArguments {
  std::string id;                    // "" for the list, the glossary, or all of them
  std::vector<std::string> command;  // for the experiments on any program
  std::vector<std::string> words;    // of the glossary, after `glossary`
  bool glossary = false;
  std::optional<std::string> html_folder;
  bool ask = false;
  bool json = false;
  ColorChoice color = ColorChoice::kAuto;
  std::optional<std::size_t> width;
  bool help = false;
};

/// `words` are those after "lab". Errors are usage errors: one line, with what to type.
Result<LabArguments> parse_lab_arguments(std::span<const std::string> words);

std::string lab_help();
std::vector<std::string> lab_option_names();

}  // namespace mini::cli
