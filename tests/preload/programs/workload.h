// Work for a time in which memory may be refused: every call either does what it should or returns
// NULL with ENOMEM, and whatever was allocated before stays as it was.
#pragma once

#include <errno.h>
#include <malloc.h>

#include "probe.h"

enum { kWorkloadSlots = 600 };

typedef struct {
  uint64_t random;
  size_t refused;  // how many requests were
  void* blocks[kWorkloadSlots];
  size_t sizes[kWorkloadSlots];
} Workload;

static inline bool refused(Workload* load, const void* block) {
  if (block != NULL) return false;
  EXPECT_NUMBERS(errno, ==, ENOMEM);
  ++load->refused;
  return true;
}

static inline void* workload_allocate(Workload* load, size_t size) {
  const size_t alignment = (size_t)16 << random_below(&load->random, 10);
  errno = 0;
  switch (random_below(&load->random, 6)) {
    case 0: {
      void* block = calloc(1, size);
      if (block != NULL) check_zero(block, size < 64 * KIB ? size : 64 * KIB);
      return block;
    }
    case 1: {
      void* block = memalign(alignment, size);
      EXPECT(is_aligned(block, alignment));
      return block;
    }
    case 2:
      return realloc(NULL, size);
    default:
      return malloc(size);
  }
}

static inline void workload_free(Workload* load, size_t slot) {
  check_filled(load->blocks[slot], load->sizes[slot], load->sizes[slot], slot);
  errno = 12345;
  free(load->blocks[slot]);
  EXPECT_NUMBERS(errno, ==, 12345);
  load->blocks[slot] = NULL;
}

static inline void workload_resize(Workload* load, size_t slot, size_t size) {
  const size_t kept = size < load->sizes[slot] ? size : load->sizes[slot];
  errno = 0;
  void* block = realloc(load->blocks[slot], size);
  if (refused(load, block)) {
    check_filled(load->blocks[slot], load->sizes[slot], load->sizes[slot], slot);
    return;
  }
  check_filled(block, load->sizes[slot], kept, slot);
  load->blocks[slot] = block;
  load->sizes[slot] = size;
  fill(block, size, slot);
}

static inline void workload_run(Workload* load, size_t steps) {
  for (size_t i = 0; i < steps; ++i) {
    const size_t slot = random_below(&load->random, kWorkloadSlots);
    const unsigned bits = random_below(&load->random, 100) == 0 ? 23 : 15;
    const size_t size = 1 + random_size(&load->random, bits);
    if (load->blocks[slot] == NULL) {
      void* block = workload_allocate(load, size);
      if (refused(load, block)) continue;
      load->blocks[slot] = block;
      load->sizes[slot] = size;
      fill(block, size, slot);
    } else if (random_below(&load->random, 3) == 0) {
      workload_resize(load, slot, size);
    } else {
      workload_free(load, slot);
    }
  }
}

static inline void workload_end(Workload* load) {
  for (size_t i = 0; i < kWorkloadSlots; ++i) {
    if (load->blocks[i] != NULL) workload_free(load, i);
  }
}
