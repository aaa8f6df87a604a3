// A library that is opened with RTLD_DEEPBIND finds the C library's functions before ours: it would
// free our blocks with glibc's free. PHP opens all its extensions like that. So, before the first
// one comes, the C library's names of the malloc family are made to lead here.
//
// Shared library only, and compiled so that dlopen is passed on by a jump (CMakeLists.txt): the
// loader searches by who calls it, and that must stay the program.
#include <atomic>
#include <cstdlib>
#include <dlfcn.h>
#include <iterator>
#include <malloc.h>

#include "api/export.h"
#include "kernel/vm/redirect.h"

extern "C" void cfree(void* block) noexcept;
extern "C" void deprecated_mallinfo() asm("mallinfo");

namespace {

using Dlopen = void* (*)(const char*, int);
constinit std::atomic<Dlopen> g_dlopen{nullptr};

Dlopen real_dlopen() {
  Dlopen real = g_dlopen.load(std::memory_order_relaxed);
  if (real == nullptr) {  // two threads may look at once: both find the same
    real = reinterpret_cast<Dlopen>(::dlsym(RTLD_NEXT, "dlopen"));
    g_dlopen.store(real, std::memory_order_relaxed);
  }
  return real;
}

const void* address(auto* function) {
  return reinterpret_cast<const void*>(function);
}

void lead_libc_here() {
  const mini::kernel::vm::Redirection functions[] = {
      {"malloc", address(malloc)},
      {"calloc", address(calloc)},
      {"realloc", address(realloc)},
      {"reallocarray", address(reallocarray)},
      {"free", address(free)},
      {"cfree", address(cfree)},
      {"aligned_alloc", address(aligned_alloc)},
      {"posix_memalign", address(posix_memalign)},
      {"memalign", address(memalign)},
      {"valloc", address(valloc)},
      {"pvalloc", address(pvalloc)},
      {"malloc_usable_size", address(malloc_usable_size)},
      {"malloc_trim", address(malloc_trim)},
      {"malloc_stats", address(malloc_stats)},
      {"malloc_info", address(malloc_info)},
      {"mallopt", address(mallopt)},
      {"mallinfo", address(deprecated_mallinfo)},
      {"mallinfo2", address(mallinfo2)},
  };
  mini::kernel::vm::redirect_libc(functions, std::size(functions));
}

}  // namespace

MINIMALLOC_EXPORT void* dlopen(const char* file, int mode) noexcept {
  const Dlopen real = real_dlopen();
  if (real == nullptr) return nullptr;
  if ((mode & RTLD_DEEPBIND) != 0) lead_libc_here();
  return real(file, mode);
}
