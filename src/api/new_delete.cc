// operator new and delete, in every form.
//
// A program may bring some of these itself, and the standard says which of the others must then go
// through its own: arrays through single objects, sized and nothrow forms through plain ones. So
// all but the plain forms ask, by one comparison, whether the plain form is still ours.
//
// The shared library must not need the C++ library, since programs in C preload it too. It refers
// to it weakly: where there is C++ code, there is a C++ library. The static library's copy of this
// file is taken only into programs that use operator new, and refers to it plainly.
#include <bit>
#include <cstddef>
#include <cstdlib>
#include <new>

#include "alloc/allocator.h"
#include "api/export.h"

#ifdef MINIMALLOC_SHARED
#include <dlfcn.h>
#define MINIMALLOC_CXX_LIBRARY __attribute__((weak))
// What the compiler itself refers to where exceptions are caught.
asm(".weak __gxx_personality_v0\n"
    ".weak __cxa_begin_catch\n"
    ".weak __cxa_end_catch\n"
    ".weak _Unwind_Resume\n"
    ".weak _ZSt9terminatev\n");
#else
#define MINIMALLOC_CXX_LIBRARY
#endif

// Weak, so that in a static program the program's own definition of one form is the one that
// counts.
#define MINIMALLOC_OPERATOR MINIMALLOC_EXPORT __attribute__((weak))

extern "C" {
// Of the C++ library, by the names that its functions have in object files.
std::new_handler minimalloc_cxx_get_new_handler() noexcept
    asm("_ZSt15get_new_handlerv") MINIMALLOC_CXX_LIBRARY;
void minimalloc_cxx_throw_bad_alloc() asm("_ZSt17__throw_bad_allocv") MINIMALLOC_CXX_LIBRARY;

// Our own forms that others go through, whoever else has some.
void* minimalloc_own_new(std::size_t)
    __attribute__((alias("_Znwm"), visibility("hidden"), malloc, alloc_size(1)));
void* minimalloc_own_new_array(std::size_t)
    __attribute__((alias("_Znam"), visibility("hidden"), malloc, alloc_size(1)));
void* minimalloc_own_new_aligned(std::size_t, std::align_val_t)
    __attribute__((alias("_ZnwmSt11align_val_t"), visibility("hidden"), malloc, alloc_size(1)));
void* minimalloc_own_new_array_aligned(std::size_t, std::align_val_t)
    __attribute__((alias("_ZnamSt11align_val_t"), visibility("hidden"), malloc, alloc_size(1)));
void minimalloc_own_delete(void*) noexcept __attribute__((alias("_ZdlPv"), visibility("hidden")));
void minimalloc_own_delete_aligned(void*, std::align_val_t) noexcept
    __attribute__((alias("_ZdlPvSt11align_val_t"), visibility("hidden")));
}

namespace {

using mini::alloc::g_allocator;

using GetHandler = std::new_handler (*)();
using ThrowBadAlloc = void (*)();

// ── Out of memory ──────────────────────────────────────────────────────────────────────────────

#ifdef MINIMALLOC_SHARED
// A program in C may have loaded C++ libraries since it began, hidden from all others: those are
// found through the library that called.
template <typename Function>
Function find_late(const void* caller, const char* name) {
  if (void* const found = ::dlsym(RTLD_DEFAULT, name)) return reinterpret_cast<Function>(found);
  Dl_info info{};
  if (::dladdr(caller, &info) == 0) return nullptr;
  void* const library = ::dlopen(info.dli_fname, RTLD_LAZY | RTLD_NOLOAD);
  if (library == nullptr) return nullptr;
  void* const found = ::dlsym(library, name);
  ::dlclose(library);  // the caller keeps it
  return reinterpret_cast<Function>(found);
}

GetHandler get_handler_function(const void* caller) {
  if (minimalloc_cxx_get_new_handler != nullptr) return minimalloc_cxx_get_new_handler;
  return find_late<GetHandler>(caller, "_ZSt15get_new_handlerv");
}

ThrowBadAlloc throw_function(const void* caller) {
  if (minimalloc_cxx_throw_bad_alloc != nullptr) return minimalloc_cxx_throw_bad_alloc;
  return find_late<ThrowBadAlloc>(caller, "_ZSt17__throw_bad_allocv");
}
#else
GetHandler get_handler_function(const void*) {
  return minimalloc_cxx_get_new_handler;
}
ThrowBadAlloc throw_function(const void*) {
  return minimalloc_cxx_throw_bad_alloc;
}
#endif

void* allocate(std::size_t size, std::size_t alignment) {
  if (!std::has_single_bit(alignment)) [[unlikely]]
    return nullptr;
  return g_allocator.allocate_aligned(alignment, size);
}

// Calls the new-handler until there is memory; null where there is no handler, and where none could
// help: there is no such alignment.
void* call_handler(std::size_t size, std::size_t alignment, const void* caller) {
  while (std::has_single_bit(alignment)) {
    const GetHandler get_handler = get_handler_function(caller);
    const std::new_handler handler = get_handler != nullptr ? get_handler() : nullptr;
    if (handler == nullptr) return nullptr;
    handler();
    if (void* const block = allocate(size, alignment); block != nullptr) return block;
  }
  return nullptr;
}

// The same; std::bad_alloc where there is no handler.
[[gnu::noinline, gnu::cold]] void* new_without_memory(std::size_t size, std::size_t alignment,
                                                      const void* caller) {
  if (void* const block = call_handler(size, alignment, caller); block != nullptr) return block;
  if (const ThrowBadAlloc throw_bad_alloc = throw_function(caller)) throw_bad_alloc();
  std::abort();
}

// The same; null where there is no handler, or where it throws.
[[gnu::noinline, gnu::cold]] void* nothrow_without_memory(std::size_t size, std::size_t alignment,
                                                          const void* caller) noexcept {
  try {
    return call_handler(size, alignment, caller);
  } catch (...) {
    return nullptr;
  }
}

// Not inline, and the last that operator new does: what is quick needs no register of the caller's.
[[gnu::noinline]] void* new_slowly(std::size_t size, const void* caller) {
  void* const block = g_allocator.allocate_slowly(size);
  if (block != nullptr) [[likely]]
    return block;
  return new_without_memory(size, mini::alloc::kGranule, caller);
}

// ── Whose the plain forms are ──────────────────────────────────────────────────────────────────

// Read at run time: the compiler must not decide what the loader will.
struct Forms {
  void* (*new_one)(std::size_t);
  void* (*new_array)(std::size_t);
  void* (*new_aligned)(std::size_t, std::align_val_t);
  void* (*new_array_aligned)(std::size_t, std::align_val_t);
  void (*delete_one)(void*) noexcept;
  void (*delete_aligned)(void*, std::align_val_t) noexcept;
};
const volatile Forms kForms = {&::operator new, &::operator new[], &::operator new,
                               &::operator new[], &::operator delete, &::operator delete };

bool new_is_ours() {
  return kForms.new_one == minimalloc_own_new;
}
bool new_array_is_ours() {
  return new_is_ours() && kForms.new_array == minimalloc_own_new_array;
}
bool new_aligned_is_ours() {
  return kForms.new_aligned == minimalloc_own_new_aligned;
}
bool new_array_aligned_is_ours() {
  return new_aligned_is_ours() && kForms.new_array_aligned == minimalloc_own_new_array_aligned;
}
bool delete_is_ours() {
  return kForms.delete_one == minimalloc_own_delete;
}
bool aligned_delete_is_ours() {
  return kForms.delete_aligned == minimalloc_own_delete_aligned;
}

constexpr std::size_t number(std::align_val_t alignment) {
  return static_cast<std::size_t>(alignment);
}

// A nothrow form. Without an exception where all is ours: in a program in C whose C++ libraries are
// hidden from us none could be caught here. `foreign` calls the form that the program brings.
template <typename Foreign>
[[gnu::always_inline]] inline void* new_or_null(bool is_ours, std::size_t size,
                                                std::size_t alignment, const void* caller,
                                                const Foreign& foreign) noexcept {
  if (is_ours) [[likely]] {
    void* const block =
        alignment == mini::alloc::kGranule ? g_allocator.allocate(size) : allocate(size, alignment);
    if (block != nullptr) [[likely]]
      return block;
    return nothrow_without_memory(size, alignment, caller);
  }
  try {
    return foreign();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace

// ── new ────────────────────────────────────────────────────────────────────────────────────────

MINIMALLOC_OPERATOR void* operator new(std::size_t size) {
  void* const block = g_allocator.allocate_quickly(size);
  if (block != nullptr) [[likely]]
    return block;
  return new_slowly(size, __builtin_return_address(0));
}

MINIMALLOC_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment) {
  void* const block = allocate(size, number(alignment));
  if (block != nullptr) [[likely]]
    return block;
  return new_without_memory(size, number(alignment), __builtin_return_address(0));
}

MINIMALLOC_OPERATOR void* operator new[](std::size_t size) {
  if (new_is_ours()) [[likely]] {
    if (void* const block = g_allocator.allocate_quickly(size); block != nullptr) [[likely]]
      return block;
  }
  return ::operator new(size);
}

MINIMALLOC_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment) {
  return ::operator new(size, alignment);
}

MINIMALLOC_OPERATOR void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return new_or_null(new_is_ours(), size, mini::alloc::kGranule, __builtin_return_address(0),
                     [size] { return ::operator new(size); });
}

MINIMALLOC_OPERATOR void* operator new[](std::size_t size, const std::nothrow_t&) noexcept {
  return new_or_null(new_array_is_ours(), size, mini::alloc::kGranule, __builtin_return_address(0),
                     [size] { return ::operator new[](size); });
}

MINIMALLOC_OPERATOR void* operator new(std::size_t size, std::align_val_t alignment,
                                       const std::nothrow_t&) noexcept {
  return new_or_null(new_aligned_is_ours(), size, number(alignment), __builtin_return_address(0),
                     [=] { return ::operator new(size, alignment); });
}

MINIMALLOC_OPERATOR void* operator new[](std::size_t size, std::align_val_t alignment,
                                         const std::nothrow_t&) noexcept {
  return new_or_null(new_array_aligned_is_ours(), size, number(alignment),
                     __builtin_return_address(0),
                     [=] { return ::operator new[](size, alignment); });
}

// ── delete ─────────────────────────────────────────────────────────────────────────────────────

MINIMALLOC_OPERATOR void operator delete(void* p) noexcept {
  g_allocator.free(p);
}

MINIMALLOC_OPERATOR void operator delete(void* p, std::align_val_t) noexcept {
  g_allocator.free(p);
}

MINIMALLOC_OPERATOR void operator delete(void* p, std::size_t size) noexcept {
  if (delete_is_ours()) [[likely]]
    return g_allocator.free_sized(p, size);
  ::operator delete(p);
}

MINIMALLOC_OPERATOR void operator delete(void* p, std::size_t size,
                                         std::align_val_t alignment) noexcept {
  if (aligned_delete_is_ours()) [[likely]]
    return g_allocator.free_sized(p, size, number(alignment));
  ::operator delete(p, alignment);
}

MINIMALLOC_OPERATOR void operator delete[](void* p) noexcept {
  ::operator delete(p);
}

MINIMALLOC_OPERATOR void operator delete[](void* p, std::align_val_t alignment) noexcept {
  ::operator delete(p, alignment);
}

MINIMALLOC_OPERATOR void operator delete[](void* p, std::size_t) noexcept {
  ::operator delete[](p);
}

MINIMALLOC_OPERATOR void operator delete[](void* p, std::size_t,
                                           std::align_val_t alignment) noexcept {
  ::operator delete[](p, alignment);
}

MINIMALLOC_OPERATOR void operator delete(void* p, const std::nothrow_t&) noexcept {
  ::operator delete(p);
}

MINIMALLOC_OPERATOR void operator delete[](void* p, const std::nothrow_t&) noexcept {
  ::operator delete[](p);
}

MINIMALLOC_OPERATOR void operator delete(void* p, std::align_val_t alignment,
                                         const std::nothrow_t&) noexcept {
  ::operator delete(p, alignment);
}

MINIMALLOC_OPERATOR void operator delete[](void* p, std::align_val_t alignment,
                                           const std::nothrow_t&) noexcept {
  ::operator delete[](p, alignment);
}
