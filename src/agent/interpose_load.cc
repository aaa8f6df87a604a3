// Libraries that come and go while the program runs.
//
// dlopen and dlmopen are passed on by a jump: the loader searches by who calls it, and that must
// stay the program.
#include <dlfcn.h>
#include <iterator>
#include <malloc.h>

#include "agent/export.h"
#include "agent/guard.h"
#include "agent/library_order.h"
#include "agent/real.h"
#include "kernel/vm/redirect.h"

namespace mini::agent {
namespace {

// A library that is opened with RTLD_DEEPBIND finds the C library's functions before ours: its
// blocks would not be recorded, and where the program has another allocator, which that library
// would not find either, blocks of one would come to the other.
void lead_libc_here() {
  const kernel::vm::Redirection functions[] = {
      {"malloc", malloc},
      {"calloc", calloc},
      {"realloc", realloc},
      {"reallocarray", reallocarray},
      {"free", free},
      {"aligned_alloc", aligned_alloc},
      {"posix_memalign", posix_memalign},
      {"memalign", memalign},
      {"valloc", valloc},
      {"pvalloc", pvalloc},
      {"malloc_usable_size", next_function("malloc_usable_size")},
  };
  kernel::vm::redirect_libc(functions, std::size(functions));
}

}  // namespace
}  // namespace mini::agent

using namespace mini::agent;  // NOLINT: what follows has C's names

MINI_EXPORT void* dlopen(const char* file, int mode) noexcept {
  const RealFunctions& real = real_functions();
  if (real.dlopen == nullptr) return nullptr;
  if ((mode & RTLD_DEEPBIND) != 0) lead_libc_here();
  with_log([](ThreadLog& log) { log.add_unloaded_modules(); });
  return real.dlopen(file, mode);
}

// Other namespaces have a C library of their own, and a malloc with it.
MINI_EXPORT void* dlmopen(Lmid_t nsid, const char* file, int mode) noexcept {
  const RealFunctions& real = real_functions();
  if (real.dlmopen == nullptr) return nullptr;
  if (nsid == LM_ID_BASE && (mode & RTLD_DEEPBIND) != 0) lead_libc_here();
  with_log([](ThreadLog& log) { log.add_unloaded_modules(); });
  return real.dlmopen(nsid, file, mode);
}

MINI_EXPORT int dlclose(void* handle) noexcept {
  const RealFunctions& real = real_functions();
  if (real.dlclose == nullptr) return -1;
  const int result = real.dlclose(handle);
  with_log([](ThreadLog& log) { log.add_unloaded_modules(); });
  return result;
}
