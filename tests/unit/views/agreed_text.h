// What every printed form must hold: the text that was agreed on, lines that fit, no byte that a
// terminal obeys, no field that its document does not name.
#pragma once

#include <cstddef>
#include <nlohmann/json_fwd.hpp>
#include <string>

#include "views/text_style.h"

namespace mini::views {

/// `text` is that of tests/golden/FILE. UPDATE_GOLDEN=1 writes it there: read the difference before
/// committing it.
void expect_agreed(const std::string& file, const std::string& text);

/// Without colours, which have no width.
void expect_lines_fit(const std::string& text, std::size_t width);

/// No control character or direction mark but line ends and, with colours, escapes; all ASCII where
/// the style asks for that.
void expect_nothing_obeyed(const std::string& text, const TextStyle& style);

/// docs/FILE names each field of `value`, as `field`; there are more than `least`. Those that end
/// with `_counted` are described by the ones beside them.
void expect_documented(const nlohmann::json& value, const std::string& file, std::size_t least);

}  // namespace mini::views
