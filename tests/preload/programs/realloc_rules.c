// realloc and reallocarray: the edges of their contract, as the C library's manual has them.
#include <errno.h>
#include <malloc.h>

#include "probe.h"

static void check_nothing_becomes_a_block(void) {
  for (size_t size = 0; size < 300 * KIB; size = size * 3 + 1) {
    unsigned char* block = realloc(NULL, size);
    EXPECT(block != NULL);
    fill(block, size, size);
    check_filled(block, size, size, size);
    free(block);
    block = reallocarray(NULL, size, 3);
    EXPECT(block != NULL);
    fill(block, 3 * size, size);
    free(block);
  }
}

// glibc frees and returns NULL. Were the block not freed, this would grow by gigabytes.
static void check_size_zero_frees(size_t size) {
  const size_t before = mapped_bytes();
  for (size_t total = 0; total < 4 * GIB; total += size) {
    void* block = malloc(size);
    EXPECT(block != NULL);
    EXPECT(realloc(block, 0) == NULL);
    if (size < 4 * KIB && total > 64 * MIB) break;
  }
  EXPECT_NUMBERS(mapped_bytes(), <, before + 512 * MIB);
}

static void check_failure_leaves_the_block(size_t size) {
  void* block = malloc(size);
  fill(block, size, 7);
  const size_t impossible[] = {SIZE_MAX, SIZE_MAX - 64, (size_t)PTRDIFF_MAX + 1, PTRDIFF_MAX};
  for (size_t i = 0; i < 4; ++i) {
    errno = 0;
    EXPECT(realloc(block, opaque(impossible[i])) == NULL);
    EXPECT_NUMBERS(errno, ==, ENOMEM);
  }
  errno = 0;
  EXPECT(reallocarray(block, opaque(SIZE_MAX / 8), 9) == NULL);
  EXPECT_NUMBERS(errno, ==, ENOMEM);
  check_filled(block, size, size, 7);
  EXPECT_NUMBERS(malloc_usable_size(block), >=, size);
  block = realloc(block, size + 100);
  EXPECT(block != NULL);
  check_filled(block, size, size, 7);
  free(block);
}

int main(void) {
  check_nothing_becomes_a_block();
  check_size_zero_frees(24);
  check_size_zero_frees(3000);
  check_size_zero_frees(1 * MIB);
  check_size_zero_frees(64 * MIB);
  for (size_t size = 1; size < 40 * MIB; size *= 5) check_failure_leaves_the_block(size);
  return ok();
}
