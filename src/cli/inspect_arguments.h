// The command line of `heapspy inspect`, parsed and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "cli/inspect_extras.h"
#include "cli/terminal.h"
#include "model/piece_query.h"

namespace mini::cli {

struct InspectArguments {
  std::optional<pid_t> pid;  // one of these two
  std::string core;
  std::string executable;  // --exe
  bool stop = true;
  std::optional<std::uint64_t> most_pause_ns;  // --max-pause
  std::optional<Bytes> most_copied;            // --max-copy
  std::optional<model::PieceFilter> chunks;
  std::optional<Address> around;
  InspectExtras extras;
  std::size_t top = 10;
  bool json = false;
  std::optional<std::string> output_path;
  ColorChoice color = ColorChoice::kAuto;
  std::optional<std::size_t> width;
  bool help = false;
};

/// `words` are those after "inspect". Errors are usage errors: one line, with what to type.
Result<InspectArguments> parse_inspect_arguments(std::span<const std::string> words);

std::string inspect_help();
std::vector<std::string> inspect_option_names();

}  // namespace mini::cli
