#include "base/text.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>

namespace mini {

std::string format_bytes(Bytes n) {
  if (n < kKiB) return fmt::format("{} B", n.count);
  static constexpr std::array kUnits = {"KiB", "MiB", "GiB", "TiB", "PiB", "EiB"};
  constexpr double kRoundedUp = 1023.95;  // to 1024.0
  std::size_t unit = 0;
  double value = static_cast<double>(n.count) / 1024;
  while (unit + 1 < kUnits.size() && value >= kRoundedUp) {
    value /= 1024;
    ++unit;
  }
  const std::string text = fmt::format("{:.1f}", value);
  const bool whole = text.ends_with(".0");
  return fmt::format("{} {}", whole ? text.substr(0, text.size() - 2) : text, kUnits[unit]);
}

std::string format_bytes_exact(Bytes n) {
  if (n < kKiB) return fmt::format("{} byte{}", n.count, n.count == 1 ? "" : "s");
  return fmt::format("{} ({} bytes)", format_bytes(n), n.count);
}

std::string format_address(Address a) {
  return fmt::format("{:#x}", a.value);
}

std::string format_range(AddressRange r) {
  return fmt::format("{:#x}-{:#x}", r.begin.value, r.end.value);
}

std::string format_count(std::uint64_t n) {
  std::string digits = fmt::format("{}", n);
  for (std::size_t i = digits.size(); i > 3; i -= 3) digits.insert(i - 3, ",");
  return digits;
}

std::string counted(std::uint64_t n, std::string_view noun) {
  return fmt::format("{} {}{}", format_count(n), noun, n == 1 ? "" : "s");
}

std::string format_percent(double part, double whole) {
  if (!(whole > 0)) return "-";
  const double percent = 100 * part / whole;
  if (percent > 0 && percent < 0.05) return "<0.1%";
  if (percent < 0 && percent > -0.05) return ">-0.1%";
  return fmt::format("{:.1f}%", percent);
}

std::string_view path_basename(std::string_view path) {
  const auto slash = path.rfind('/');
  return slash == std::string_view::npos ? path : path.substr(slash + 1);
}

bool begins_with_any(std::string_view text, std::span<const std::string_view> prefixes) {
  return std::ranges::any_of(prefixes,
                             [text](std::string_view prefix) { return text.starts_with(prefix); });
}

std::string_view take_line(std::string_view& text) {
  const auto end = text.find('\n');
  const std::string_view line = text.substr(0, end);
  text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  return line;
}

}  // namespace mini
