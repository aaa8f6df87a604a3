// Text from a target is arbitrary bytes: what of it may reach a terminal, and how wide it is there.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "base/utf8.h"

namespace mini::views {

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
