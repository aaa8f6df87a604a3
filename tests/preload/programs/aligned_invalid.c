// Alignments that are none: not a power of two, or for posix_memalign not a multiple of a pointer.
#include <errno.h>
#include <malloc.h>

#include "probe.h"

static const size_t kNoPowers[] = {3, 6, 7, 12, 24, 48, 100, 4095, 4097, 3 * MIB, SIZE_MAX};

// It returns the error; errno and the caller's pointer it leaves alone.
static void check_posix_memalign(size_t alignment) {
  void* block = &block;
  errno = 12345;
  EXPECT_NUMBERS(posix_memalign(&block, alignment, 100), ==, EINVAL);
  EXPECT(block == (void*)&block);
  EXPECT_NUMBERS(errno, ==, 12345);
}

// C17 leaves it to the library, and glibc from 2.38 on: NULL and EINVAL.
static void check_aligned_alloc(size_t alignment) {
  errno = 0;
  EXPECT_SAYING(aligned_alloc(opaque(alignment), 96) == NULL, "alignment %zu", alignment);
  EXPECT_NUMBERS(errno, ==, EINVAL);
}

// glibc rounds up, its manual demands a power of two: either, but nothing that is less aligned.
static void check_memalign(size_t alignment) {
  errno = 0;
  void* block = memalign(opaque(alignment), 100);
  if (block == NULL) {
    EXPECT(errno == EINVAL || errno == ENOMEM);
    return;
  }
  size_t rounded = 1;
  while (rounded < alignment) rounded *= 2;
  EXPECT_SAYING(is_aligned(block, rounded), "alignment %zu: %p", alignment, block);
  free(block);
}

int main(void) {
  for (size_t i = 0; i < sizeof kNoPowers / sizeof kNoPowers[0]; ++i) {
    check_posix_memalign(kNoPowers[i]);
    check_memalign(kNoPowers[i]);
  }
  check_posix_memalign(0);
  check_posix_memalign(1);
  check_posix_memalign(2);
  check_posix_memalign(4);
  for (size_t i = 0; i < sizeof kNoPowers / sizeof kNoPowers[0]; ++i) {
    check_aligned_alloc(kNoPowers[i]);
  }
  return ok();
}
