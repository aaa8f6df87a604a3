// A program that stands before malloc alone, to count its calls, and goes on to the C library's
// second name of it. What it gets so is malloc's own, and so is what other second names give:
// resized, measured and freed by the first, and the other way round.
#include <malloc.h>

#include "probe.h"

void* second_malloc(size_t) __asm__("__libc_malloc");
void* second_calloc(size_t, size_t) __asm__("__libc_calloc");
void* second_realloc(void*, size_t) __asm__("__libc_realloc");
void* second_memalign(size_t, size_t) __asm__("__libc_memalign");
void* second_valloc(size_t) __asm__("__libc_valloc");
void* second_pvalloc(size_t) __asm__("__libc_pvalloc");
void second_free(void*) __asm__("__libc_free");

static unsigned long calls;

void* malloc(size_t size) {
  ++calls;
  return second_malloc(size);
}

static void check_block(void* block, size_t size, uint64_t seed) {
  EXPECT(malloc_usable_size(block) >= size);
  fill(block, size, seed);
  void* larger = realloc(block, 2 * size);
  EXPECT(larger != NULL);
  check_filled(larger, size, size, seed);
  second_free(larger);
}

int main(void) {
  for (size_t size = 1; size < MIB; size = size * 3 / 2 + 1) {
    const unsigned long before = calls;
    void* block = malloc(size);
    EXPECT(calls == before + 1);
    free(block);
    check_block(malloc(size), size, 1);
    check_block(second_calloc(1, size), size, 2);
    check_block(second_realloc(NULL, size), size, 3);
    check_block(second_memalign(256, size), size, 4);
    check_block(second_valloc(size), size, 5);
    check_block(second_pvalloc(size), size, 6);
    free(second_realloc(calloc(1, size), 2 * size));
    second_free(aligned_alloc(64, size));
  }
  return ok();
}
