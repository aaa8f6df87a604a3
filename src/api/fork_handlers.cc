// pthread_atfork allocates when glibc's list of fork handlers grows, with that list locked; a fork
// goes through the list with the heap locked. So one of the two waits for the end of the other.
//
// Shared library only: a static program has no function behind this one.
#include <atomic>
#include <cerrno>

#include "alloc/allocator.h"
#include "api/export.h"
#include "api/next_function.h"
#include "api/process.h"

extern "C" int register_fork_handlers(void (*prepare)(), void (*parent)(), void (*child)(),
                                      void* shared_object) noexcept asm("__register_atfork");

namespace {

constinit std::atomic<decltype(&register_fork_handlers)> g_next{nullptr};

}  // namespace

// What pthread_atfork, which is part of each program and library, calls.
MINIMALLOC_EXPORT int register_fork_handlers(void (*prepare)(), void (*parent)(), void (*child)(),
                                             void* shared_object) noexcept {
  const auto next = mini::api::next_function(g_next, "__register_atfork");
  if (next == nullptr) return ENOMEM;
  mini::api::watch_forks();  // which comes here too
  const mini::alloc::Locked not_in_a_fork(mini::alloc::g_fork_handlers_lock);
  return next(prepare, parent, child, shared_object);
}
