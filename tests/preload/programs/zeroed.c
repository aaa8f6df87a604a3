// calloc gives zeroes, also where the memory was written to before.
#include <malloc.h>

#include "probe.h"

// Writes over all that a block has, and frees it.
static void soil(size_t size) {
  void* block = malloc(size);
  EXPECT(block != NULL);
  memset(block, 0xa5, malloc_usable_size(block));
  free(block);
}

static void check(size_t soiled, size_t size) {
  soil(soiled);
  void* block = size % 2 == 0 ? calloc(size / 2, 2) : calloc(1, size);
  EXPECT_SAYING(block != NULL, "size %zu", size);
  check_zero(block, size);
  memset(block, 0x5a, malloc_usable_size(block));
  free(block);
}

// Many blocks of one size, soiled, freed in two orders, and all taken again.
static void check_many(size_t size, size_t count) {
  static void* blocks[4096];
  for (unsigned round = 0; round < 3; ++round) {
    for (size_t i = 0; i < count; ++i) {
      blocks[i] = calloc(1, size);
      EXPECT(blocks[i] != NULL);
      check_zero(blocks[i], size);
      memset(blocks[i], 0xff, malloc_usable_size(blocks[i]));
    }
    for (size_t i = 0; i < count; ++i) free(blocks[round == 1 ? count - 1 - i : i]);
  }
}

int main(void) {
  for (size_t size = 1; size < 3000; ++size) check(size, size);
  for (size_t size = 3000; size < 4 * MIB; size += size / 6) {
    check(size, size);
    check(2 * size, size);
    check(size - size / 4, size);
  }
  for (size_t size = 4 * MIB; size <= 64 * MIB; size *= 2) {
    check(size, size);
    if (size < 32 * MIB) check(size, size - 5000);
  }
  check_many(8, 4096);
  check_many(48, 4096);
  check_many(1000, 2048);
  check_many(5000, 512);
  check_many(70000, 64);
  check_many(300000, 16);
  return ok();
}
