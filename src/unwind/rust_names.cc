// The legacy scheme, and which of the two a symbol is of.
#include "unwind/rust_names.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <cstdint>
#include <memory>
#include <span>
#include <utility>

#include "base/utf8.h"

namespace mini::unwind {
namespace {

/// Takes an identifier off the front, and its length before it; "" where there is none.
std::string_view take_identifier(std::string_view* mangled) {
  const std::span<const char> text(*mangled);
  const char* const last = std::to_address(text.end());
  std::size_t length = 0;
  const auto [begin, error] = std::from_chars(std::to_address(text.begin()), last, length);
  if (error != std::errc() || length > static_cast<std::size_t>(last - begin)) return {};
  *mangled = std::string_view(begin + length, last);
  return {begin, length};
}

bool is_hash(std::string_view identifier) {
  constexpr std::size_t kDigits = 16;
  return identifier.size() == 1 + kDigits && identifier.front() == 'h' &&
         identifier.find_first_not_of("0123456789abcdef", 1) == std::string_view::npos;
}

/// What "$escape$" stands for; "" where that is nothing.
std::string unescaped(std::string_view escape) {
  using Pair = std::pair<std::string_view, std::string_view>;
  static constexpr std::array<Pair, 8> kEscapes{{
      {"LT", "<"},
      {"GT", ">"},
      {"LP", "("},
      {"RP", ")"},
      {"RF", "&"},
      {"BP", "*"},
      {"C", ","},
      {"SP", "@"},
  }};
  const auto* const found = std::ranges::find(kEscapes, escape, &Pair::first);
  if (found != kEscapes.end()) return std::string(found->second);
  if (!escape.starts_with('u')) return "";
  const char* const last = escape.data() + escape.size();
  std::uint32_t code = 0;
  const auto [end, error] = std::from_chars(escape.data() + 1, last, code, 16);
  std::string out;
  if (error == std::errc() && end == last && is_character(code)) append_utf8(out, code);
  return out;
}

std::string without_escapes(std::string_view identifier) {
  std::string out;
  if (identifier.starts_with("_$")) identifier.remove_prefix(1);
  while (!identifier.empty()) {
    std::size_t length = 1;
    if (identifier.starts_with("..")) {
      out += "::";
      length = 2;
    } else if (identifier.front() == '$') {
      const std::size_t end = identifier.find('$', 1);
      const std::string text =
          end == std::string_view::npos ? "" : unescaped(identifier.substr(1, end - 1));
      if (text.empty()) break;
      out += text;
      length = end + 1;
    } else {
      out += identifier.front();
    }
    identifier.remove_prefix(length);
  }
  return out.append(identifier);
}

std::optional<std::string> legacy_name(std::string_view mangled) {
  std::string out;
  std::string_view last;
  while (!mangled.starts_with('E')) {
    if (!last.empty()) out.append(out.empty() ? "" : "::").append(without_escapes(last));
    last = take_identifier(&mangled);
    if (last.empty()) return std::nullopt;
  }
  const std::string_view rest = mangled.substr(1);
  if (!is_hash(last) || out.empty() || (!rest.empty() && rest.front() != '.')) return std::nullopt;
  return out;
}

}  // namespace

std::optional<std::string> rust_name(std::string_view symbol, std::size_t most_bytes) {
  if (symbol.starts_with("_R")) return rust_v0_name(symbol.substr(2), most_bytes);
  // Most names of C++ are told apart at once.
  if (!symbol.starts_with("_ZN") || !symbol.contains("17h")) return std::nullopt;
  return legacy_name(symbol.substr(3));
}

}  // namespace mini::unwind
