// Identifiers beyond ASCII in names that are ASCII: RFC 3492, as Rust has it.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace mini::unwind {

/// In UTF-8, the characters of `basic` with those in between that `digits` says. Nothing where
/// these say none, or where the result has more characters than any identifier should.
std::optional<std::string> from_punycode(std::string_view basic, std::string_view digits);

}  // namespace mini::unwind
