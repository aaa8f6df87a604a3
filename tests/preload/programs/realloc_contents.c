// realloc keeps what was in the block, from every kind of size to every other, up to hundreds of
// MiB.
#include "probe.h"

static const size_t kSizes[] = {1,       15,       16,       24,       100,      128,     1000,
                                1025,    4096,     5000,     16384,    30000,    65536,   100000,
                                131072,  140000,   262144,   500000,   1048576,  1100000, 3000000,
                                8388608, 16777217, 33554432, 70000000, 268435456};
#define SIZE_COUNT (sizeof kSizes / sizeof kSizes[0])

static size_t smaller(size_t a, size_t b) {
  return a < b ? a : b;
}

static void check_step(size_t from, size_t to) {
  void* block = malloc(from);
  EXPECT_SAYING(block != NULL, "size %zu", from);
  fill(block, from, from);
  void* moved = realloc(block, to);
  EXPECT_SAYING(moved != NULL, "from %zu to %zu", from, to);
  check_filled(moved, from, smaller(from, to), from);
  fill(moved, to, to);
  check_filled(moved, to, to, to);
  free(moved);
}

// Grows by a factor, with another block that pins the room behind it, then shrinks again.
static void check_growth(size_t limit, size_t numerator, size_t denominator) {
  size_t size = 10;
  void* block = malloc(size);
  void* pins[64] = {NULL};
  fill(block, size, 1);
  for (unsigned step = 0; size < limit; ++step) {
    const size_t next = size * numerator / denominator + 1;
    free(pins[step % 64]);
    pins[step % 64] = malloc(next / 16 + 1);
    block = realloc(block, next);
    EXPECT_SAYING(block != NULL, "size %zu", next);
    check_filled(block, size, size, 1);
    size = next;
    fill(block, size, 1);
  }
  while (size > 10) {
    const size_t next = size * denominator / numerator;
    block = realloc(block, next);
    EXPECT_SAYING(block != NULL, "size %zu", next);
    check_filled(block, size, next, 1);
    size = next;
    fill(block, size, 1);
  }
  free(block);
  for (size_t i = 0; i < 64; ++i) free(pins[i]);
}

int main(void) {
  for (size_t i = 0; i < SIZE_COUNT; ++i) {
    for (size_t j = 0; j < SIZE_COUNT; ++j) {
      // The largest are tried with a few partners only: each copy of them costs tens of thousands
      // of page faults.
      if (kSizes[i] + kSizes[j] > 12 * MIB && (i + j) % 4 != 0) continue;
      check_step(kSizes[i], kSizes[j]);
    }
  }
  check_growth(40 * MIB, 2, 1);
  check_growth(10 * MIB, 5, 4);
  check_growth(512 * KIB, 33, 32);
  return ok();
}
