// A library that is opened with RTLD_DEEPBIND finds the C library's functions before ours: it would
// free our blocks with glibc's free. PHP opens all its extensions like that. So, before the first
// one comes, the C library's names of the malloc family are made to lead here.
//
// Shared library only, and compiled so that dlopen and dlmopen are passed on by a jump
// (CMakeLists.txt): the loader searches by who calls it, and that must stay the program.
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <iterator>
#include <malloc.h>

#include "api/export.h"
#include "api/next_function.h"
#include "kernel/vm/redirect.h"

extern "C" void cfree(void* block) noexcept;
extern "C" void deprecated_mallinfo() asm("mallinfo");
extern "C" void second_malloc() asm("__libc_malloc");
extern "C" void second_calloc() asm("__libc_calloc");
extern "C" void second_realloc() asm("__libc_realloc");
extern "C" void second_free() asm("__libc_free");
extern "C" void second_memalign() asm("__libc_memalign");
extern "C" void second_valloc() asm("__libc_valloc");
extern "C" void second_pvalloc() asm("__libc_pvalloc");

namespace {

constinit std::atomic<decltype(&dlopen)> g_dlopen{nullptr};
constinit std::atomic<decltype(&dlmopen)> g_dlmopen{nullptr};

void lead_libc_here() {
  const mini::kernel::vm::Redirection functions[] = {
      {"malloc", malloc},
      {"calloc", calloc},
      {"realloc", realloc},
      {"reallocarray", reallocarray},
      {"free", free},
      {"cfree", cfree},
      {"aligned_alloc", aligned_alloc},
      {"posix_memalign", posix_memalign},
      {"memalign", memalign},
      {"valloc", valloc},
      {"pvalloc", pvalloc},
      {"malloc_usable_size", malloc_usable_size},
      {"malloc_trim", malloc_trim},
      {"malloc_stats", malloc_stats},
      {"malloc_info", malloc_info},
      {"mallopt", mallopt},
      {"mallinfo", deprecated_mallinfo},
      {"mallinfo2", mallinfo2},
      {"__libc_malloc", second_malloc},
      {"__libc_calloc", second_calloc},
      {"__libc_realloc", second_realloc},
      {"__libc_free", second_free},
      {"__libc_memalign", second_memalign},
      {"__libc_valloc", second_valloc},
      {"__libc_pvalloc", second_pvalloc},
  };
  mini::kernel::vm::redirect_libc(functions, std::size(functions));
}

}  // namespace

MINIMALLOC_EXPORT void* dlopen(const char* file, int mode) noexcept {
  const auto real = mini::api::next_function(g_dlopen, "dlopen");
  if (real == nullptr) return nullptr;
  if ((mode & RTLD_DEEPBIND) != 0) lead_libc_here();
  return real(file, mode);
}

// Other namespaces have a C library of their own, and a malloc with it.
MINIMALLOC_EXPORT void* dlmopen(Lmid_t nsid, const char* file, int mode) noexcept {
  const auto real = mini::api::next_function(g_dlmopen, "dlmopen");
  if (real == nullptr) return nullptr;
  if (nsid == LM_ID_BASE && (mode & RTLD_DEEPBIND) != 0) lead_libc_here();
  return real(nsid, file, mode);
}
