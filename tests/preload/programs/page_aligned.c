// valloc: aligned to a page; pvalloc: and a whole number of them.
#include <malloc.h>

#include "probe.h"

static void check(size_t size, size_t page) {
  void* block = valloc(size);
  EXPECT_SAYING(block != NULL && is_aligned(block, page), "%p, size %zu", block, size);
  EXPECT_NUMBERS(malloc_usable_size(block), >=, size);
  fill(block, size, size);
  void* other = pvalloc(size);
  EXPECT_SAYING(other != NULL && is_aligned(other, page), "%p, size %zu", other, size);
  const size_t rounded = (size + page - 1) / page * page;
  EXPECT_NUMBERS(malloc_usable_size(other), >=, rounded);
  fill(other, rounded, size + 1);
  check_filled(block, size, size, size);
  free(block);
  other = realloc(other, 2 * rounded + 1);
  EXPECT(other != NULL);
  check_filled(other, rounded, rounded, size + 1);
  free(other);
}

int main(void) {
  const size_t page = (size_t)sysconf(_SC_PAGESIZE);
  for (size_t size = 0; size < 2 * MIB; size += 1 + size / 5) check(size, page);
  for (size_t size = page; size <= 1 * MIB; size *= 2) check(size, page);
  return ok();
}
