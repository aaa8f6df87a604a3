// Heaps of the program's own.
#include <bit>
#include <cerrno>
#include <minimalloc/minimalloc.h>

#include "alloc/statistics.h"
#include "api/export.h"
#include "api/heap_handle.h"
#include "api/versioned.h"

namespace {

namespace alloc = mini::alloc;
using alloc::g_allocator;
using mini::api::handle_of;
using mini::api::heap_of;

void* or_no_memory(void* block) {
  if (block == nullptr) errno = ENOMEM;
  return block;
}

}  // namespace

extern "C" {

MINIMALLOC_EXPORT minimalloc_heap* minimalloc_heap_create(const char* name) noexcept {
  alloc::Heap* const heap = g_allocator.create_heap(name == nullptr ? "" : name);
  if (heap == nullptr) errno = ENOMEM;
  return handle_of(heap);
}

MINIMALLOC_EXPORT void minimalloc_heap_destroy(minimalloc_heap* heap) noexcept {
  if (heap != nullptr) g_allocator.destroy_heap(heap_of(heap));
}

MINIMALLOC_EXPORT void* minimalloc_heap_malloc(minimalloc_heap* heap, size_t size) noexcept {
  return or_no_memory(heap == nullptr ? g_allocator.allocate(size)
                                      : g_allocator.allocate_in(heap_of(heap), {.bytes = size}));
}

MINIMALLOC_EXPORT void* minimalloc_heap_calloc(minimalloc_heap* heap, size_t count,
                                               size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return or_no_memory(nullptr);
  if (heap == nullptr) return or_no_memory(g_allocator.allocate_zeroed(bytes));
  return or_no_memory(g_allocator.allocate_in(heap_of(heap), {.bytes = bytes, .zeroed = true}));
}

MINIMALLOC_EXPORT void* minimalloc_heap_aligned_alloc(minimalloc_heap* heap, size_t alignment,
                                                      size_t size) noexcept {
  if (!std::has_single_bit(alignment)) {
    errno = EINVAL;
    return nullptr;
  }
  if (heap == nullptr) return or_no_memory(g_allocator.allocate_aligned(alignment, size));
  return or_no_memory(
      g_allocator.allocate_in(heap_of(heap), {.bytes = size, .alignment = alignment}));
}

MINIMALLOC_EXPORT void* minimalloc_heap_realloc(minimalloc_heap* heap, void* block,
                                                size_t size) noexcept {
  if (block == nullptr) return minimalloc_heap_malloc(heap, size);
  if (size == 0) {
    g_allocator.free(block);
    return nullptr;
  }
  return or_no_memory(g_allocator.resize(block, size));
}

MINIMALLOC_EXPORT void minimalloc_free(void* block) noexcept {
  g_allocator.free(block);
}

MINIMALLOC_EXPORT void minimalloc_free_sized(void* block, size_t size, size_t alignment) noexcept {
  g_allocator.free_sized(block, size, alignment);
}

MINIMALLOC_EXPORT uint32_t minimalloc_heap_id(const minimalloc_heap* heap) noexcept {
  return heap_of(heap).id();
}

MINIMALLOC_EXPORT const char* minimalloc_heap_name(const minimalloc_heap* heap) noexcept {
  return heap_of(heap).name();
}

MINIMALLOC_EXPORT minimalloc_heap* minimalloc_heap_find(const char* name) noexcept {
  return handle_of(g_allocator.find_heap(name == nullptr ? "" : name));
}

MINIMALLOC_EXPORT minimalloc_heap* minimalloc_heap_of(const void* block) noexcept {
  return handle_of(&g_allocator.heap_of(g_allocator.find(block).heap));
}

MINIMALLOC_EXPORT int minimalloc_heap_stats_read(const minimalloc_heap* heap,
                                                 minimalloc_heap_stats* out) noexcept {
  alloc::HeapFigures figures;
  if (!alloc::read_heap_figures(g_allocator, heap_of(heap).id(), &figures)) return EAGAIN;
  const alloc::ClassSums small = alloc::sum(figures.classes);
  minimalloc_heap_stats filled{};
  filled.live_bytes = small.in_use_bytes + figures.large.pages * alloc::kPageBytes;
  filled.live_count = small.counts.in_use + figures.large.blocks;
  filled.pages_bytes = (small.counts.pages + figures.large.pages) * alloc::kPageBytes;
  return mini::api::copy_versioned(out, filled);
}

}  // extern "C"
