// From the name in a symbol table to the one people read.
#pragma once

#include <string>
#include <string_view>

namespace mini::unwind {

/// Without @VERSION and the compiler's suffixes (.part.0, .cold, .isra.0 …), demangled where it is
/// a C++ or Rust name, control characters replaced, of bounded length. A name that cannot be
/// demangled, or only at unreasonable cost, stays as it is.
std::string display_name(std::string_view symbol);

/// "malloc" of "malloc@@GLIBC_2.2.5".
std::string_view without_version(std::string_view symbol);

/// Text of a hostile file made safe for a terminal: control characters become '?', the length is
/// bounded.
std::string printable(std::string_view text);

}  // namespace mini::unwind
