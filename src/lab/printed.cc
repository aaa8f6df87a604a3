#include "lab/printed.h"

#include <charconv>

#include "base/text.h"

namespace mini::lab {
namespace {

std::optional<std::uint64_t> leading_number(std::string_view text, int base) {
  std::uint64_t number = 0;
  const auto parsed = std::from_chars(text.data(), text.data() + text.size(), number, base);
  return parsed.ec == std::errc{} ? std::optional(number) : std::nullopt;
}

}  // namespace

std::optional<std::string_view> printed_text(std::string_view printed, std::string_view name) {
  while (!printed.empty()) {
    std::string_view line = take_line(printed);
    if (!line.starts_with(name)) continue;
    line.remove_prefix(name.size());
    if (line.starts_with(": ")) return line.substr(2);
  }
  return std::nullopt;
}

std::optional<Address> printed_address(std::string_view printed, std::string_view name) {
  const auto text = printed_text(printed, name);
  if (!text || !text->starts_with("0x")) return std::nullopt;
  const auto number = leading_number(text->substr(2), 16);
  return number ? std::optional(Address{*number}) : std::nullopt;
}

std::optional<std::uint64_t> printed_number(std::string_view printed, std::string_view name) {
  const auto text = printed_text(printed, name);
  return text ? leading_number(*text, 10) : std::nullopt;
}

}  // namespace mini::lab
