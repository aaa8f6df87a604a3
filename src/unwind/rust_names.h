// The names of Rust's functions, of both its schemes: the legacy one, which is C++'s with a hash at
// the end and with punctuation escaped, and v0.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <string_view>

namespace mini::unwind {

/// "alloc::vec::Vec<T>::push", as Rust's own tools print it, without what differs from one build to
/// the next: hashes, the disambiguators of crates and impls, what LLVM appends. Of a name that a
/// short symbol stands for only the first `most_bytes` or few more; nothing where `symbol` is no
/// such name, or only at unreasonable cost.
std::optional<std::string> rust_name(std::string_view symbol, std::size_t most_bytes);

/// The same of a v0 symbol without its "_R".
std::optional<std::string> rust_v0_name(std::string_view mangled, std::size_t most_bytes);

}  // namespace mini::unwind
