// The options of `heapspy inspect` for searches, drawings and trials.
#pragma once

#include <CLI/CLI.hpp>
#include <optional>
#include <string>

#include "base/result.h"
#include "base/units.h"

namespace mini::cli {

struct InspectExtras {
  bool leaks = false;
  bool map = false;
  std::optional<AddressRange> range;  // of the map
  bool try_trim = false;
  std::optional<std::uint64_t> watch_ns;
  std::string recording;
};

/// What CLI11 fills in, before it is checked.
struct RawInspectExtras {
  InspectExtras parsed;
  std::string range;
  std::string watch;
};

void add_inspect_extras(CLI::App& app, RawInspectExtras& raw);
Result<InspectExtras> check_inspect_extras(const RawInspectExtras& raw, const CLI::App& app);

}  // namespace mini::cli
