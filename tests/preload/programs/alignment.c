// malloc, calloc and realloc: a block of 16 bytes or more is aligned to 16, a smaller one to the
// largest power of two that fits in it; blocks of no bytes at all are blocks like others.
#include "probe.h"

static void check_alignment(const void* block, size_t size) {
  EXPECT_SAYING(block != NULL, "size %zu", size);
  size_t alignment = 16;
  while (alignment > 1 && alignment > size) alignment /= 2;
  EXPECT_SAYING(is_aligned(block, alignment), "%p, size %zu", block, size);
}

static void check_size(size_t size) {
  void* blocks[] = {malloc(size), calloc(1, size), calloc(size, 1), realloc(NULL, size)};
  for (size_t i = 0; i < 4; ++i) {
    check_alignment(blocks[i], size);
    for (size_t j = 0; j < i; ++j) EXPECT_SAYING(blocks[i] != blocks[j], "size %zu", size);
  }
  for (size_t i = 0; i < 4; ++i) {
    blocks[i] = realloc(blocks[i], size + 40);
    check_alignment(blocks[i], size + 40);
  }
  for (size_t i = 0; i < 4; ++i) free(blocks[i]);
}

static int compare(const void* left, const void* right) {
  const uintptr_t a = *(const uintptr_t*)left, b = *(const uintptr_t*)right;
  return (a > b) - (a < b);
}

static void check_empty_blocks_are_unique(void) {
  enum { kCount = 10000 };
  static uintptr_t blocks[kCount];
  for (size_t i = 0; i < kCount; ++i) {
    blocks[i] = (uintptr_t)(i % 3 == 0 ? malloc(0) : i % 3 == 1 ? calloc(0, 8) : realloc(NULL, 0));
    EXPECT(blocks[i] != 0);
  }
  qsort(blocks, kCount, sizeof blocks[0], compare);
  for (size_t i = 1; i < kCount; ++i) EXPECT_SAYING(blocks[i] != blocks[i - 1], "number %zu", i);
  for (size_t i = 0; i < kCount; ++i) free((void*)blocks[i]);
}

int main(void) {
  for (size_t size = 0; size < 6000; ++size) check_size(size);
  for (size_t power = 8 * KIB; power <= 8 * MIB; power *= 2) {
    check_size(power - 1);
    check_size(power);
    check_size(power + 1);
    check_size(power + power / 3);
  }
  check_empty_blocks_are_unique();
  return ok();
}
