#include "cli/duration.h"

#include <array>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <utility>

namespace mini::cli {
namespace {

constexpr std::array kUnits = std::to_array<std::pair<std::string_view, double>>({{"", 1e9},
                                                                                  {"s", 1e9},
                                                                                  {"ms", 1e6},
                                                                                  {"us", 1e3},
                                                                                  {"ns", 1},
                                                                                  {"m", 60e9},
                                                                                  {"min", 60e9},
                                                                                  {"h", 3600e9}});

}  // namespace

Result<std::uint64_t> parse_duration(std::string_view text) {
  double value = 0;
  const auto parsed =
      std::from_chars(text.data(), text.data() + text.size(), value, std::chars_format::fixed);
  const bool is_number = parsed.ec == std::errc() && value >= 0;
  const auto unit = text.substr(static_cast<std::size_t>(parsed.ptr - text.data()));
  for (const auto& [name, ns] : kUnits) {
    if (!is_number || unit != name) continue;
    if (value * ns >= 0x1p63) return fail(fmt::format("'{}' is longer than 64 bits hold", text));
    return static_cast<std::uint64_t>(std::llround(value * ns));
  }
  return fail(fmt::format("'{}' is not a time: type 12.5s, 340ms, 2m or 1h", text));
}

Result<std::uint64_t> check_duration(std::string_view text, bool pid_given) {
  if (!pid_given) return fail("--duration is for a running process: type --pid PID too");
  const auto time = parse_duration(text);
  if (!time) return fail(fmt::format("--duration {}: {}", text, time.error().message));
  if (*time == 0)
    return fail(fmt::format("--duration {}: type a time that is longer than 0", text));
  return time;
}

}  // namespace mini::cli
