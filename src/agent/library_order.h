// The functions of the libraries that a program began with, in their order, found without asking
// the loader: dlsym takes a lock, and allocates where it finds nothing. An allocator may come here
// that holds a lock of its own, for pages, through our mmap.
#pragma once

namespace mini::agent {

/// The address of the function that a library behind ours offers to all under this name; null where
/// none does. What dlsym(RTLD_NEXT, name) gives. REQUIRES: no library is being unloaded.
void* next_function(const char* name);

/// The path by which the loader has our library; "" where it does not list it. REQUIRES: the same.
const char* own_path();

/// Whether the program's own file, which comes before all libraries, offers one: then calls go
/// there.
bool program_has_function(const char* name);

}  // namespace mini::agent
