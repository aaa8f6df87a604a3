// The least that a malloc and a free in a shared library have to do, and nothing else:
//   malloc  looks up the size class, finds the thread's state, pops a free list
//   free    looks up the block in a page map (is it ours? of which class? of which thread?), pushes
// Not an allocator: blocks of at most 1024 bytes, from a fixed reservation that only grows, and a
// block that another thread made is not taken back.
#include "floor.h"

#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kGranule = 16, kClasses = 1024 / kGranule + 1, kSlabShift = 14, kSlabs = 1 << 15 };

typedef struct {
  void* free;
  char* uncarved;
  char* end;
} Class;

typedef struct {
  Class classes[kClasses];
} Heap;

typedef struct {
  Heap* owner;
  uint32_t class_index;
} Slab;

static _Thread_local Heap heap __attribute__((tls_model("initial-exec")));
static Slab page_map[kSlabs];
static uint8_t class_of[kClasses];
static char* base;
static size_t slabs_used;

__attribute__((constructor)) static void reserve(void) {
  const size_t bytes = (size_t)kSlabs << kSlabShift;
  base =
      mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  if (base == MAP_FAILED) abort();
  for (int i = 0; i < kClasses; ++i) class_of[i] = (uint8_t)(i == 0 ? 1 : i);
}

__attribute__((noinline)) static void* carve(uint32_t class_index) {
  Class* class = &heap.classes[class_index];
  const size_t bytes = (size_t)class_index * kGranule;
  if ((size_t)(class->end - class->uncarved) < bytes) {
    const size_t slab = __atomic_fetch_add(&slabs_used, 1, __ATOMIC_RELAXED);
    if (slab >= kSlabs) abort();
    page_map[slab] = (Slab){&heap, class_index};
    class->uncarved = base + (slab << kSlabShift);
    class->end = class->uncarved + (1 << kSlabShift);
  }
  void* block = class->uncarved;
  class->uncarved += bytes;
  return block;
}

void* floor_malloc(size_t bytes) {
  if (bytes > (kClasses - 1) * kGranule) abort();
  const uint32_t class_index = class_of[(bytes + kGranule - 1) / kGranule];
  Class* class = &heap.classes[class_index];
  void** block = class->free;
  if (block == NULL) return carve(class_index);
  class->free = *block;
  return block;
}

void floor_free(void* block) {
  const size_t slab = (size_t)((char*)block - base) >> kSlabShift;
  if (slab >= kSlabs || page_map[slab].owner != &heap) abort();
  Class* class = &heap.classes[page_map[slab].class_index];
  *(void**)block = class->free;
  class->free = block;
}
