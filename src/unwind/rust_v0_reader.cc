#include "unwind/rust_v0_reader.h"

#include <charconv>

namespace mini::unwind {

RustIdentifier RustV0Reader::identifier() {
  RustIdentifier found;
  if (take('s')) found.disambiguator = base_62_number() + 1;
  found.is_punycode = take('u');
  const std::uint64_t length = decimal_number();
  take('_');
  if (length > mangled_.size() - at_) {
    is_sound_ = false;
    return found;
  }
  found.text = mangled_.substr(at_, length);
  at_ += length;
  return found;
}

std::uint64_t RustV0Reader::decimal_number() {
  if (take('0')) return 0;
  std::uint64_t value = 0;
  const char* const begin = mangled_.data() + at_;
  const auto [end, error] = std::from_chars(begin, mangled_.data() + mangled_.size(), value);
  if (error != std::errc()) is_sound_ = false;
  at_ += static_cast<std::size_t>(end - begin);
  return value;
}

std::uint64_t RustV0Reader::base_62_number() {
  if (take('_')) return 0;
  std::uint64_t value = 0;
  for (char c = take(); c != '_'; c = take()) {
    const bool is_lower = is_between(c, 'a', 'z');
    const bool is_known = is_lower || is_between(c, '0', '9') || is_between(c, 'A', 'Z');
    const int number = is_lower ? c - 'a' + 10 : c >= 'A' ? c - 'A' + 36 : c - '0';
    const auto digit = static_cast<std::uint64_t>(number);
    if (!is_known || value > (UINT64_MAX - 2 - digit) / 62) {
      is_sound_ = false;
      return 0;
    }
    value = value * 62 + digit;
  }
  return value + 1;
}

std::uint64_t RustV0Reader::hexadecimal_number() {
  const std::string_view digits = hexadecimal_digits();
  std::uint64_t value = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (error != std::errc()) is_sound_ = false;
  return value;
}

std::string_view RustV0Reader::hexadecimal_digits() {
  const std::size_t begin = at_;
  while (is_between(next(), '0', '9') || is_between(next(), 'a', 'f')) ++at_;
  const std::string_view digits = mangled_.substr(begin, at_ - begin);
  if (digits.empty() || !take('_')) is_sound_ = false;
  return digits;
}

}  // namespace mini::unwind
