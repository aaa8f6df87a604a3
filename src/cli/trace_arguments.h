// The command line of `heapspy trace`, parsed and checked.
#pragma once

#include <CLI/CLI.hpp>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/event_filter.h"
#include "cli/terminal.h"

namespace mini::cli {

struct TraceArguments {
  std::vector<std::string> command;
  int attach_pid = 0;
  std::uint64_t duration_ns = 0;  // 0: until it ends
  bool follow = true;
  bool seccomp = true;
  bool stacks = true;
  bool full_stacks = false;
  bool debug_files = true;
  std::size_t max_frames = 256;
  std::uint64_t verify_every = 0;
  EventFilter filter;
  bool events = true;
  bool summary = true;
  bool layout = true;
  bool quiet = false;
  std::optional<std::string> json_path;  // "-" is standard output
  std::optional<std::string> output_path;
  ColorChoice color = ColorChoice::kAuto;
  std::optional<std::size_t> width;
  bool help = false;
};

/// `words` are those after "trace". Errors are usage errors: one line, with what to type.
Result<TraceArguments> parse_trace_arguments(std::span<const std::string> words);

std::string trace_help();

/// Every option's long and short names with their dashes, for the tests of completion and manual.
std::vector<std::string> trace_option_names();

}  // namespace mini::cli
