// The command line of `heapspy diff`, parsed and checked.
#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "cli/terminal.h"
#include "explain/profile_ranking.h"

namespace mini::cli {

/// How much a measure may grow: by an amount, or by a part of what was there before.
struct GrowthLimit {
  std::uint64_t amount = 0;  // bytes or calls
  double percent = 0;
  bool is_percent = false;

  /// Whether a growth from `before` to `after` is beyond it.
  bool is_exceeded(std::uint64_t before, std::uint64_t after) const;
};

struct DiffArguments {
  std::string before;
  std::string after;
  bool json = false;
  std::optional<std::size_t> top;
  std::optional<std::size_t> depth;
  std::optional<explain::Grouping> by;
  std::optional<explain::Measure> measure;
  std::optional<GrowthLimit> most_growth;  // --fail-on-growth: more than that fails
  std::optional<std::string> output_path;
  ColorChoice color = ColorChoice::kAuto;
  std::optional<std::size_t> width;
  bool help = false;
};

/// `words` are those after "diff". Errors are usage errors: one line, with what to type.
Result<DiffArguments> parse_diff_arguments(std::span<const std::string> words);

std::string diff_help();
std::vector<std::string> diff_option_names();

}  // namespace mini::cli
