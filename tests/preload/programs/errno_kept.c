// free leaves errno alone, whatever it has to do: a cached block, a whole span, a mapping.
#include <errno.h>

#include "probe.h"

enum { kCount = 1000 };
static void* blocks[kCount];

static void free_keeping(void* block) {
  errno = 12345;
  free(block);
  EXPECT_NUMBERS(errno, ==, 12345);
}

static void check(size_t size, size_t count) {
  for (size_t i = 0; i < count; ++i) {
    blocks[i] = malloc(size);
    EXPECT(blocks[i] != NULL);
    memset(blocks[i], 1, size);
  }
  for (size_t i = 0; i < count; i += 2) free_keeping(blocks[i]);
  for (size_t i = 1; i < count; i += 2) free_keeping(blocks[i]);
}

int main(void) {
  free_keeping(NULL);
  for (unsigned round = 0; round < 2; ++round) {
    for (size_t size = 1; size < 10000; size = size * 3 / 2 + 1) check(size, kCount);
    check(20000, 400);
    check(200000, 40);
    check(2000000, 10);
    check(20000000, 1);
  }
  return ok();
}
