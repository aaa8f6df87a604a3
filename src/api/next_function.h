// The functions that this library stands before.
#pragma once

#include <atomic>
#include <dlfcn.h>

namespace mini::api {

/// The function of that name in the libraries behind this one; null for none. Asked for once.
template <typename Function>
Function next_function(std::atomic<Function>& kept, const char* name) {
  Function next = kept.load(std::memory_order_relaxed);
  if (next == nullptr) {  // two threads may look at once: both find the same
    next = reinterpret_cast<Function>(::dlsym(RTLD_NEXT, name));
    kept.store(next, std::memory_order_relaxed);
  }
  return next;
}

}  // namespace mini::api
