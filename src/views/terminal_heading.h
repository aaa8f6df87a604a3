// The line above each part of the terminal form: a title, a rule, and whose it is.
#pragma once

#include <string>
#include <string_view>

#include "views/text_style.h"

namespace mini::views {

/// "Library loading ────────────── ls 4711", with an empty line before it.
void write_heading(std::string& out, const TextStyle& style, std::string_view title,
                   std::string_view whose);

}  // namespace mini::views
