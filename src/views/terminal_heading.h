// The line above each part of the terminal form: a title, a rule, and whose it is.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "views/text_style.h"

namespace mini::views {

/// "Library loading ────────────── ls 4711", with an empty line before it.
void write_heading(std::string& out, const TextStyle& style, std::string_view title,
                   std::string_view whose);

/// "1 call", "2 calls": a count with its noun.
std::string counted(std::uint64_t count, std::string_view noun);

}  // namespace mini::views
