#include "unwind/punycode.h"

#include <algorithm>
#include <cstdint>

#include "base/utf8.h"

namespace mini::unwind {
namespace {

// Each is put between those before it, at a cost of their number. rustc-demangle has the same
// bound.
constexpr std::uint64_t kMostCharacters = 128;
constexpr std::uint64_t kBase = 36;

/// How many positions, counted round and round, are before the next character: a number whose
/// digits say themselves, with `bias`, which of them is the last.
std::optional<std::uint64_t> take_distance(std::string_view* digits, std::uint64_t bias) {
  constexpr std::uint64_t kLeast = 1;
  constexpr std::uint64_t kMost = 26;
  // No more passes through all characters that there are.
  constexpr std::uint64_t kLongest = 0x110000 * (kMostCharacters + 1);
  std::uint64_t distance = 0;
  std::uint64_t weight = 1;
  for (std::uint64_t k = kBase; !digits->empty(); k += kBase) {
    const char c = digits->front();
    digits->remove_prefix(1);
    const bool is_letter = c >= 'a' && c <= 'z';
    if (!is_letter && (c < '0' || c > '9')) return std::nullopt;
    const auto digit = static_cast<std::uint64_t>(is_letter ? c - 'a' : c - '0' + 26);
    distance += digit * weight;
    if (distance > kLongest) return std::nullopt;
    const std::uint64_t threshold = k <= bias ? kLeast : std::min(k - bias, kMost);
    if (digit < threshold) return distance;
    weight = std::min(weight * (kBase - threshold), kLongest + 1);
  }
  return std::nullopt;
}

std::uint64_t next_bias(std::uint64_t distance, std::uint64_t characters, bool is_first) {
  constexpr std::uint64_t kSkew = 38;
  constexpr std::uint64_t kDamp = 700;
  constexpr std::uint64_t kRange = 35;
  distance /= is_first ? kDamp : 2;
  distance += distance / characters;
  std::uint64_t k = 0;
  for (; distance > kRange * 26 / 2; k += kBase) distance /= kRange;
  return k + (kRange + 1) * distance / (distance + kSkew);
}

}  // namespace

std::optional<std::string> from_punycode(std::string_view basic, std::string_view digits) {
  if (digits.empty() || basic.size() > kMostCharacters) return std::nullopt;
  std::u32string characters(basic.begin(), basic.end());
  std::uint64_t code = 0x80;
  std::uint64_t at = 0;
  std::uint64_t bias = 72;
  for (bool is_first = true; !digits.empty(); is_first = false) {
    const auto distance = take_distance(&digits, bias);
    if (!distance || characters.size() == kMostCharacters) return std::nullopt;
    const std::uint64_t count = characters.size() + 1;
    bias = next_bias(*distance, count, is_first);
    code += (at + *distance) / count;
    at = (at + *distance) % count;
    if (code > 0x10ffff || !is_character(static_cast<char32_t>(code))) return std::nullopt;
    characters.insert(at++, 1, static_cast<char32_t>(code));
  }
  std::string out;
  for (const char32_t character : characters) append_utf8(out, character);
  return out;
}

}  // namespace mini::unwind
