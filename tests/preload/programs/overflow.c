// Requests that no memory can meet fail with ENOMEM, by every function there is.
#include <errno.h>
#include <malloc.h>

#include "probe.h"

#define EXPECT_ENOMEM(call)            \
  do {                                 \
    errno = 0;                         \
    EXPECT((call) == NULL);            \
    EXPECT_NUMBERS(errno, ==, ENOMEM); \
  } while (0)

static void check_size(size_t size) {
  EXPECT_ENOMEM(malloc(size));
  EXPECT_ENOMEM(calloc(1, size));
  EXPECT_ENOMEM(calloc(size, 1));
  EXPECT_ENOMEM(realloc(NULL, size));
  EXPECT_ENOMEM(reallocarray(NULL, size, 1));
  EXPECT_ENOMEM(valloc(size));
  EXPECT_ENOMEM(pvalloc(size));
  for (size_t alignment = 8; alignment <= 1 * GIB; alignment *= 4) {
    EXPECT_ENOMEM(memalign(alignment, size));
    EXPECT_ENOMEM(aligned_alloc(alignment, size & ~(alignment - 1)));
    void* block = &block;
    errno = 0;
    EXPECT_NUMBERS(posix_memalign(&block, alignment, size), ==, ENOMEM);
    EXPECT_NUMBERS(errno, ==, ENOMEM);  // POSIX asks for none; glibc sets it
    EXPECT(block == (void*)&block);
  }
}

// A power of two, as is demanded, but more than there are addresses.
static void check_alignment(size_t alignment) {
  const size_t sizes[] = {0, 1, 100, PTRDIFF_MAX, SIZE_MAX};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) {
    EXPECT_ENOMEM(memalign(alignment, sizes[i]));
    EXPECT_ENOMEM(aligned_alloc(alignment, sizes[i]));
    void* block = &block;
    EXPECT_NUMBERS(posix_memalign(&block, alignment, sizes[i]), ==, ENOMEM);
    EXPECT(block == (void*)&block);
  }
}

static void check_product(size_t count, size_t size) {
  EXPECT_ENOMEM(calloc(count, size));
  EXPECT_ENOMEM(calloc(size, count));
  EXPECT_ENOMEM(reallocarray(NULL, count, size));
  EXPECT_ENOMEM(reallocarray(NULL, size, count));
}

int main(void) {
  const size_t half = (size_t)PTRDIFF_MAX + 1;
  const size_t sizes[] = {SIZE_MAX,
                          SIZE_MAX - 1,
                          SIZE_MAX - 15,
                          SIZE_MAX - 16,
                          SIZE_MAX - 4095,
                          SIZE_MAX / 2,
                          SIZE_MAX - 64 * KIB,
                          SIZE_MAX - 64 * MIB,
                          half,
                          half + 4096,
                          half - 1,
                          half - 4096,
                          half - 64 * MIB,
                          SIZE_MAX / 4 * 3};
  for (size_t i = 0; i < sizeof sizes / sizeof sizes[0]; ++i) check_size(opaque(sizes[i]));

  check_alignment(opaque(half));
  check_alignment(opaque(half / 2));
  check_alignment(opaque((size_t)1 << 47));

  check_product(opaque(half), 2);
  check_product(opaque(half / 2), 4);
  check_product(opaque((size_t)1 << 32), (size_t)1 << 32);
  check_product(opaque(((size_t)1 << 32) + 1), (size_t)1 << 32);
  check_product(opaque(SIZE_MAX), SIZE_MAX);
  check_product(opaque(SIZE_MAX / 16 + 1), 16);
  check_product(opaque(SIZE_MAX / 3), 4);

  // None of it has hurt: small requests are served as ever.
  void* block = malloc(100);
  EXPECT(block != NULL);
  free(block);
  return ok();
}
