// What a library does that is made for jemalloc and for any other malloc: takes jemalloc's own
// functions where it finds them. Prints how many blocks and bytes `get` and `grow` made.
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void* mallocx(size_t bytes, int flags) __attribute__((weak));
void* rallocx(void* block, size_t bytes, int flags) __attribute__((weak));
size_t xallocx(void* block, size_t bytes, size_t extra, int flags) __attribute__((weak));
void dallocx(void* block, int flags) __attribute__((weak));
void sdallocx(void* block, size_t bytes, int flags) __attribute__((weak));

enum { kRounds = 100, kBytes = 1000, kMoreBytes = 3000, kLog2OfAlignment = 8, kZero = 0x40 };

static void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

static __attribute__((noinline)) unsigned char* get(void) {
  void* block = NULL;
  if (mallocx != NULL) {
    block = mallocx(kBytes, kLog2OfAlignment | kZero);
  } else if ((block = memalign(1U << kLog2OfAlignment, kBytes)) != NULL) {
    memset(block, 0, kBytes);
  }
  if (block == NULL || (uintptr_t)block % (1U << kLog2OfAlignment) != 0) fail("no such block");
  return block;
}

static __attribute__((noinline)) unsigned char* grow(unsigned char* block) {
  block = rallocx != NULL ? rallocx(block, kMoreBytes, 0) : realloc(block, kMoreBytes);
  if (block == NULL) fail("it does not grow");
  return block;
}

static size_t usable(unsigned char* block) {
  return xallocx != NULL ? xallocx(block, kMoreBytes, 0, 0) : malloc_usable_size(block);
}

static void drop(unsigned char* block, int round) {
  if (dallocx == NULL || sdallocx == NULL) {
    free(block);
  } else if (round % 2 == 0) {
    dallocx(block, 0);
  } else {
    sdallocx(block, kMoreBytes, 0);
  }
}

int main(void) {
  for (int round = 0; round < kRounds; ++round) {
    unsigned char* block = get();
    for (int i = 0; i < kBytes; ++i) {
      if (block[i] != 0) fail("not all is zero");
      block[i] = (unsigned char)i;
    }
    block = grow(block);
    for (int i = 0; i < kBytes; ++i) {
      if (block[i] != (unsigned char)i) fail("what was there is lost");
    }
    if (usable(block) < kMoreBytes) fail("it is smaller than it is");
    memset(block, 1, kMoreBytes);
    drop(block, round);
  }
  printf("get: %d %d\ngrow: %d %d\n", kRounds, kRounds * kBytes, kRounds, kRounds * kMoreBytes);
  return 0;
}
