// aligned_alloc, posix_memalign and memalign, for alignments from 1 byte to 1 GiB.
#include <malloc.h>

#include "probe.h"

static void check_block(void* block, size_t alignment, size_t size) {
  EXPECT_SAYING(block != NULL, "alignment %zu, size %zu", alignment, size);
  EXPECT_SAYING(is_aligned(block, alignment), "%p, alignment %zu, size %zu", block, alignment,
                size);
  EXPECT_NUMBERS(malloc_usable_size(block), >=, size);
  fill(block, size, alignment + size);
}

// One of each function's, alive together; then given back by free or through realloc.
static void check(size_t alignment, size_t size) {
  void* blocks[4];
  blocks[0] = memalign(alignment, size);
  // C17 allows any size; a multiple of the alignment is what C11 demanded.
  blocks[1] = aligned_alloc(alignment, size);
  blocks[2] = aligned_alloc(alignment, (size + alignment - 1) & ~(alignment - 1));
  blocks[3] = NULL;
  if (alignment >= sizeof(void*)) {
    EXPECT_NUMBERS(posix_memalign(&blocks[3], alignment, size), ==, 0);
  } else {
    blocks[3] = memalign(alignment, size);
  }
  for (size_t i = 0; i < 4; ++i) check_block(blocks[i], alignment, size);
  for (size_t i = 0; i < 4; ++i) check_filled(blocks[i], size, size, alignment + size);
  for (size_t i = 0; i < 4; ++i) {
    if (i % 2 == 1) {
      blocks[i] = realloc(blocks[i], size + size / 2 + 1);
      EXPECT(blocks[i] != NULL);
      check_filled(blocks[i], size, size, alignment + size);
    }
    free(blocks[i]);
  }
}

int main(void) {
  const size_t sizes[] = {0,    1,     7,     16,    17,     100,    1000,    4096,
                          5000, 16384, 40000, 65536, 131072, 200000, 1048576, 5000000};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    for (size_t alignment = 1; alignment <= 1 * GIB; alignment *= 2) check(alignment, sizes[i]);
  }
  uint64_t random = 42;
  for (unsigned i = 0; i < 20000; ++i) {
    check((size_t)1 << random_below(&random, 13), random_size(&random, 13));
  }
  return ok();
}
