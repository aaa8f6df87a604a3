// The command line of `heapspy record`.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <sys/types.h>
#include <vector>

#include "base/result.h"
#include "base/units.h"
#include "wire/channel.h"

namespace mini::cli {

struct RecordArguments {
  std::vector<std::string> command;
  std::optional<pid_t> process;   // to be joined, instead of a command
  std::uint64_t duration_ns = 0;  // 0: until it ends
  std::optional<std::string> output_path;
  std::uint32_t most_frames = 256;
  bool free_stacks = false;
  Bytes sample;  // mean distance of sampled bytes; 0: every allocation
  wire::Overflow overflow = wire::Overflow::kWait;
  std::optional<std::string> agent;
  bool finds_leaks = false;
  bool first_touch = false;
  bool quiet = false;
  bool help = false;
};

/// `words` are those after "record". Errors are usage errors: one line, with what to type.
Result<RecordArguments> parse_record_arguments(std::span<const std::string> words);

std::string record_help();
std::vector<std::string> record_option_names();

}  // namespace mini::cli
