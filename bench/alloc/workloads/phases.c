// phases MIB: a program that works in phases, each with objects of sizes of its own. At the end of
// a phase it frees nine objects in ten, at random, and the survivors lie among what must serve the
// next phase. It holds MIB at the height of each.
#include "work.h"

enum { kMaxObjects = 4 << 20 };

typedef struct {
  void** objects;
  size_t count;
  uint64_t random;
  uint64_t sum;
} Heap;

static void grow(Heap* heap, const Sizes* sizes, size_t bytes) {
  for (size_t grown = 0; grown < bytes;) {
    if (heap->count == kMaxObjects) fail("too many objects");
    const size_t size = random_size(sizes, &heap->random);
    heap->objects[heap->count++] = block_new(size, (uint32_t)random_next(&heap->random));
    grown += size;
  }
}

// Returns the bytes of the survivors.
static size_t free_nine_in_ten(Heap* heap) {
  size_t survivors = 0;
  size_t bytes = 0;
  for (size_t i = 0; i < heap->count; ++i) {
    void* object = heap->objects[i];
    if (random_below(&heap->random, 10) == 0) {
      heap->objects[survivors++] = object;
      bytes += (uint32_t)block_word(object);
    } else {
      heap->sum += block_free(object);
    }
  }
  heap->count = survivors;
  return bytes;
}

int main(int argc, char** argv) {
  const size_t height = (size_t)argument(argc, argv, 1) << 20;
  const Sizes phases[] = {
      sizes_between(16, 256), sizes_between(100, 2000),  sizes_between(1024, 16384),
      sizes_between(40, 60),  sizes_between(500, 50000), sizes_between(16, 1024),
  };
  Heap heap = {.objects = calloc(kMaxObjects, sizeof(void*)), .random = 1};
  if (heap.objects == NULL) fail("calloc returned NULL");
  size_t live = 0;
  for (size_t i = 0; i < sizeof phases / sizeof *phases; ++i) {
    grow(&heap, &phases[i], height - live);
    live = free_nine_in_ten(&heap);
  }
  for (size_t i = 0; i < heap.count; ++i) heap.sum += block_free(heap.objects[i]);
  free(heap.objects);
  report_sum("phases", heap.sum);
  return 0;
}
