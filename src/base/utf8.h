// UTF-8, read strictly: text from a target is arbitrary bytes.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mini {

struct Decoded {
  char32_t code = 0;
  std::size_t length = 1;  // bytes consumed, at least 1
  bool valid = false;      // false: the byte at the front begins no well-formed character
};

/// The character at the front of `text`, by the rules of RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF. REQUIRES: !text.empty().
Decoded decode_utf8(std::string_view text);

/// Whether it can be written in UTF-8: no surrogate, nothing above U+10FFFF.
constexpr bool is_character(char32_t code) {
  return code <= 0x10ffff && (code < 0xd800 || code > 0xdfff);
}

/// Of ASCII, or of the upper half, which some terminals obey, too.
constexpr bool is_control(char32_t code) {
  return code < 0x20 || (code >= 0x7f && code < 0xa0);
}

/// REQUIRES: is_character(code).
void append_utf8(std::string& out, char32_t code);

/// `text` with U+FFFD for each byte that is part of no well-formed character, and for each zero
/// byte: what a reader accepts that wants UTF-8, and that takes a zero byte for the end.
std::string well_formed_utf8(std::string_view text);

}  // namespace mini
