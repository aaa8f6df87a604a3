// malloc_usable_size: at least what was asked for, and all of it is the program's.
#include <malloc.h>

#include "probe.h"

// Blocks of one size side by side, each filled to its usable end: none may reach into another.
static void check_neighbours(size_t size) {
  enum { kCount = 24 };
  void* blocks[kCount];
  size_t usable[kCount];
  for (size_t i = 0; i < kCount; ++i) {
    blocks[i] = i % 4 == 3 ? memalign(64, size) : malloc(size);
    EXPECT(blocks[i] != NULL);
    usable[i] = malloc_usable_size(blocks[i]);
    EXPECT_NUMBERS(usable[i], >=, size);
    fill(blocks[i], usable[i], i);
  }
  for (size_t i = 0; i < kCount; ++i) {
    EXPECT_NUMBERS(malloc_usable_size(blocks[i]), ==, usable[i]);
    check_filled(blocks[i], usable[i], usable[i], i);
  }
  for (size_t i = 0; i < kCount; ++i) free(blocks[i]);
}

// A program may grow into what is usable by telling realloc so; nothing of it may be lost.
static void check_realloc_keeps_it(size_t size) {
  void* block = malloc(size);
  const size_t usable = malloc_usable_size(block);
  fill(block, usable, size);
  block = realloc(block, usable);
  EXPECT(block != NULL);
  check_filled(block, usable, usable, size);
  block = realloc(block, 3 * usable + 1);
  EXPECT(block != NULL);
  check_filled(block, usable, usable, size);
  free(block);
}

int main(void) {
  EXPECT_NUMBERS(malloc_usable_size(NULL), ==, 0);
  for (size_t size = 0; size < 2100; ++size) check_neighbours(size);
  for (size_t size = 2100; size < 200 * KIB; size += size / 9) check_neighbours(size);
  for (size_t size = 0; size < 8 * MIB; size += 1 + size / 7) check_realloc_keeps_it(size);
  return ok();
}
