// The malloc family: the names that C, POSIX and glibc give to what the allocator does.
//
// Semantics where the standards leave a choice are glibc's: malloc(0) is a block of its own,
// realloc(p, 0) frees, what is too large fails with ENOMEM, free leaves errno alone.
#include <bit>
#include <cerrno>
#include <cstddef>
#include <cstdlib>
#include <malloc.h>

#include "alloc/allocator.h"
#include "api/export.h"

namespace {

using mini::alloc::g_allocator;

constexpr std::size_t kPage = mini::alloc::kPageBytes;
constexpr std::size_t kLargestPower = SIZE_MAX / 2 + 1;  // the largest alignment that there is

void* or_no_memory(void* block) {
  if (block == nullptr) [[unlikely]]
    errno = ENOMEM;
  return block;
}

// Not inline, and the last that malloc does: what is quick needs no register of the caller's.
[[gnu::noinline]] void* allocate_slowly(std::size_t size) {
  return or_no_memory(g_allocator.allocate_slowly(size));
}

bool multiply(std::size_t a, std::size_t b, std::size_t* product) {
  return !__builtin_mul_overflow(a, b, product);
}

void* invalid() {
  errno = EINVAL;
  return nullptr;
}

// What several names do. None of them calls another: that would go to whoever stands before this
// library, who would take it for a call of the program's.

void* resize(void* block, std::size_t size) {
  if (block == nullptr) return or_no_memory(g_allocator.allocate(size));
  if (size == 0) {
    g_allocator.free(block);
    return nullptr;
  }
  return or_no_memory(g_allocator.resize(block, size));
}

// glibc rounds an alignment that is no power of two up to the next; C says it is invalid.
void* allocate_aligned(std::size_t alignment, std::size_t size) {
  if (alignment > kLargestPower) return invalid();
  return or_no_memory(g_allocator.allocate_aligned(std::bit_ceil(alignment), size));
}

}  // namespace

namespace mini::api {
[[gnu::alias("malloc"), gnu::malloc, gnu::alloc_size(1)]] void* own_malloc(
    std::size_t size) noexcept;
}  // namespace mini::api

extern "C" {

// Newer, or older, than the headers of some C libraries.
void free_sized(void* ptr, std::size_t size) noexcept;
void free_aligned_sized(void* ptr, std::size_t alignment, std::size_t size) noexcept;
void cfree(void* ptr) noexcept;

MINIMALLOC_EXPORT void* malloc(std::size_t size) noexcept {
  void* const block = g_allocator.allocate_quickly(size);
  if (block != nullptr) [[likely]]
    return block;
  return allocate_slowly(size);
}

MINIMALLOC_EXPORT void free(void* ptr) noexcept {
  g_allocator.free(ptr);
}

MINIMALLOC_EXPORT void* calloc(std::size_t nmemb, std::size_t size) noexcept {
  std::size_t bytes = 0;
  if (!multiply(nmemb, size, &bytes)) return or_no_memory(nullptr);
  return or_no_memory(g_allocator.allocate_zeroed(bytes));
}

MINIMALLOC_EXPORT void* realloc(void* ptr, std::size_t size) noexcept {
  return resize(ptr, size);
}

MINIMALLOC_EXPORT void* reallocarray(void* ptr, std::size_t nmemb, std::size_t size) noexcept {
  std::size_t bytes = 0;
  if (!multiply(nmemb, size, &bytes)) return or_no_memory(nullptr);
  return resize(ptr, bytes);
}

MINIMALLOC_EXPORT void free_sized(void* ptr, std::size_t size) noexcept {
  g_allocator.free_sized(ptr, size);
}

MINIMALLOC_EXPORT void free_aligned_sized(void* ptr, std::size_t alignment,
                                          std::size_t size) noexcept {
  g_allocator.free_sized(ptr, size, alignment);
}

MINIMALLOC_EXPORT void* memalign(std::size_t alignment, std::size_t size) noexcept {
  return allocate_aligned(alignment, size);
}

MINIMALLOC_EXPORT void* aligned_alloc(std::size_t alignment, std::size_t size) noexcept {
  if (!std::has_single_bit(alignment)) return invalid();
  return allocate_aligned(alignment, size);
}

MINIMALLOC_EXPORT int posix_memalign(void** memptr, std::size_t alignment,
                                     std::size_t size) noexcept {
  if (!std::has_single_bit(alignment) || alignment < sizeof(void*)) return EINVAL;
  void* const block = or_no_memory(g_allocator.allocate_aligned(alignment, size));
  if (block == nullptr) return ENOMEM;
  *memptr = block;
  return 0;
}

MINIMALLOC_EXPORT void* valloc(std::size_t size) noexcept {
  return allocate_aligned(kPage, size);
}

MINIMALLOC_EXPORT void* pvalloc(std::size_t size) noexcept {
  if (size > PTRDIFF_MAX) return or_no_memory(nullptr);
  return allocate_aligned(kPage, (size + kPage - 1) / kPage * kPage);
}

MINIMALLOC_EXPORT std::size_t malloc_usable_size(void* ptr) noexcept {
  return ptr == nullptr ? 0 : g_allocator.usable_size(ptr);
}

// Taken out of glibc's headers long ago; old programs still ask for it.
MINIMALLOC_EXPORT void cfree(void* ptr) noexcept {
  g_allocator.free(ptr);
}

// The C library's second names of the same. A program that stands before one function of the
// family, to count its calls, say, goes on to that one's, and has what it got freed by the others.
MINIMALLOC_EXPORT void* second_malloc(std::size_t size) noexcept asm("__libc_malloc")
    __attribute__((alias("malloc"), malloc, alloc_size(1)));
MINIMALLOC_EXPORT void second_free(void* ptr) noexcept asm("__libc_free")
    __attribute__((alias("free")));
MINIMALLOC_EXPORT void* second_calloc(std::size_t nmemb, std::size_t size) noexcept
    asm("__libc_calloc") __attribute__((alias("calloc"), malloc, alloc_size(1, 2)));
MINIMALLOC_EXPORT void* second_realloc(void* ptr, std::size_t size) noexcept asm("__libc_realloc")
    __attribute__((alias("realloc"), alloc_size(2)));
MINIMALLOC_EXPORT void* second_memalign(std::size_t alignment, std::size_t size) noexcept
    asm("__libc_memalign")
        __attribute__((alias("memalign"), malloc, alloc_align(1), alloc_size(2)));
MINIMALLOC_EXPORT void* second_valloc(std::size_t size) noexcept asm("__libc_valloc")
    __attribute__((alias("valloc"), malloc, alloc_size(1)));
MINIMALLOC_EXPORT void* second_pvalloc(std::size_t size) noexcept asm("__libc_pvalloc")
    __attribute__((alias("pvalloc"), malloc));

}  // extern "C"
