#include "cli/size.h"

#include <cctype>
#include <charconv>
#include <cmath>
#include <fmt/format.h>
#include <optional>
#include <string>

#include "base/checked.h"

namespace mini::cli {
namespace {

constexpr std::string_view kPrefixes = "kmgt";  // 1024, 1024², …

/// The factor of "", "b", "k", "kb", "kib", …; nullopt for anything else.
std::optional<std::uint64_t> unit_factor(std::string_view unit) {
  std::string lower;
  for (const char c : unit) lower += static_cast<char>(std::tolower(static_cast<unsigned char>(c)));
  if (lower.empty() || lower == "b" || lower == "bytes" || lower == "byte") return 1;
  const auto prefix = kPrefixes.find(lower.front());
  if (prefix == std::string_view::npos) return std::nullopt;
  const std::string_view rest = std::string_view(lower).substr(1);
  if (!rest.empty() && rest != "b" && rest != "ib") return std::nullopt;
  return std::uint64_t{1} << (10 * (prefix + 1));
}

Result<Bytes> not_a_size(std::string_view text) {
  return fail(fmt::format("'{}' is not a size: type 4096, 64K, 1.5M or 2GiB", text));
}

/// value × factor for a number with a fraction; a number of bytes must come out whole or is cut.
std::optional<Bytes> scale_fraction(std::string_view digits, std::uint64_t factor) {
  double value = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), value,
                                      std::chars_format::fixed);
  if (parsed.ec != std::errc() || parsed.ptr != digits.data() + digits.size()) return std::nullopt;
  const double bytes = std::floor(value * static_cast<double>(factor));
  if (bytes >= 0x1p63) return std::nullopt;
  return Bytes{static_cast<std::uint64_t>(bytes)};
}

}  // namespace

Result<Bytes> parse_size(std::string_view text) {
  const auto digits_end = std::min(text.find_first_not_of("0123456789."), text.size());
  const std::string_view digits = text.substr(0, digits_end);
  std::string_view unit = text.substr(digits_end);
  if (unit.size() > 1 && unit.front() == ' ') unit.remove_prefix(1);
  const auto factor = unit_factor(unit);
  if (digits.empty() || digits.front() == '.' || digits.back() == '.' || !factor) {
    return not_a_size(text);
  }
  if (digits.find('.') != std::string_view::npos) {
    const auto bytes = scale_fraction(digits, *factor);
    if (!bytes) return not_a_size(text);
    return *bytes;
  }
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(digits.data(), digits.data() + digits.size(), number);
  const auto bytes = parsed.ec == std::errc() ? checked_multiply(number, *factor) : std::nullopt;
  if (!bytes) return fail(fmt::format("'{}' is more than 64 bits hold", text));
  return Bytes{*bytes};
}

}  // namespace mini::cli
