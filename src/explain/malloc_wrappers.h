// Functions of widely used programs and libraries that are malloc by another name.
#pragma once

#include <string_view>

namespace mini::explain {

/// Whether a function is known to do no more than pass a request for memory on to an allocator, or
/// to be a program's own allocator: its caller is who wants the memory. By its plain_name().
bool is_malloc_wrapper(std::string_view function);

}  // namespace mini::explain
