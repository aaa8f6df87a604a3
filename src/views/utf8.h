// Text from a target is arbitrary bytes: decoding it strictly, and what of it may reach a terminal.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

namespace mini::views {

struct Decoded {
  char32_t code = 0;
  std::size_t length = 1;  // bytes consumed, at least 1
  bool valid = false;      // false: the byte at the front begins no well-formed character
};

/// The character at the front of `text`, by the rules of RFC 3629: no overlong forms, no
/// surrogates, nothing above U+10FFFF. REQUIRES: !text.empty().
Decoded decode_utf8(std::string_view text);

void append_utf8(std::string& out, char32_t code);

/// Columns that a character takes on a terminal: 0 (combining), 1, or 2 (East Asian wide, emoji).
std::size_t column_width(char32_t code);

/// Columns of a whole text. REQUIRES: it is printable().
std::size_t column_width(std::string_view text);

/// `text` as it may be sent to a terminal: control characters, invalid bytes and invisible
/// direction marks become \n, \t, \x1b, \u{202e}, a backslash \\. Without `unicode`, the few
/// typographic characters of our own sentences become their ASCII likeness, others \u{…}.
std::string printable(std::string_view text, bool unicode);

/// Whether printable() would return `text` itself; true for the common case, found quickly.
bool is_plain_ascii(std::string_view text);

}  // namespace mini::views
