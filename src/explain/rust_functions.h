// Which functions are those of Rust's own library, by their demangled names and their source files.
#pragma once

#include <string_view>

namespace mini::explain {

/// Whether alloc, core or std is where `function` was written, though a program has its own copy of
/// what is generic: "<alloc::vec::Vec<app::Name>>::push", "<[T]>::to_vec", "__rust_alloc"; or
/// whether it is what a program has for the library to allocate by (GlobalAlloc). False of a
/// program's "<app::Name as core::clone::Clone>::clone"; of its "<app::Names as
/// core::iter::Iterator>::collect" too, which only the file tells from a function of its own.
bool is_rust_library_function(std::string_view function);

/// "/rustc/59807616e1fa/library/alloc/src/vec/mod.rs".
bool is_rust_library_file(std::string_view file);

}  // namespace mini::explain
