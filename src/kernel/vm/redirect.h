// Libraries that look into the C library before they look anywhere else (dlopen's RTLD_DEEPBIND),
// and so would find its malloc where all others find the one that stands before it.
#pragma once

#include <cstddef>

namespace mini::kernel::vm {

struct Redirection {
  template <typename Function>
  Redirection(const char* of, Function* to)
      : name(of), function(reinterpret_cast<const void*>(to)) {}

  const char* name;
  const void* function;  // null: none
};

/// Has the loader find these functions where it would find the C library's own of those names:
/// their places in its table of symbols, in this process's memory, lead there from now on. A name
/// that the C library does not have, or that leads elsewhere already, stays as it is: whoever came
/// first goes on being first. What was bound before stays bound. Once in a process: later calls,
/// of any thread, only wait for the first. Asks the loader for its libraries, under its lock.
void redirect_libc(const Redirection* redirections, std::size_t count);

}  // namespace mini::kernel::vm
