// Experiment 3: a hundred short blocks, every other one freed. Who can
// use the gaps?
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

enum { kBlocks = 100, kGaps = kBlocks / 2, kShort = 32, kLong = 64 };

static char* blocks[kBlocks];
static char* others[kGaps];

static int is_in_the_gaps(const char* block) {
  return blocks[0] <= block && block <= blocks[kBlocks - 1];
}

static int allocate_others(size_t bytes) {
  int in_gaps = 0;
  for (int i = 0; i < kGaps; ++i) {
    others[i] = malloc(bytes);
    in_gaps += is_in_the_gaps(others[i]);
  }
  return in_gaps;
}

static void free_every_other_from(int first) {
  for (int i = first; i < kBlocks; i += 2) free(blocks[i]);
}

int main(void) {
  printf("blocks: %d of %d bytes\n", kBlocks, kShort);
  for (int i = 0; i < kBlocks; ++i) blocks[i] = malloc(kShort);
  printf("first block: %p\n", (void*)blocks[0]);
  free_every_other_from(0);
  look_here("every other block is free");

  // The long ones stay; the short ones are freed again, so that the gaps
  // are back.
  printf("long blocks in the gaps: %d\n", allocate_others(kLong));
  printf("short blocks in the gaps: %d\n", allocate_others(kShort));
  for (int i = 0; i < kGaps; ++i) free(others[i]);

  free_every_other_from(1);
  look_here("all short blocks are free");
  printf("long blocks where all is free: %d\n", allocate_others(kLong));
  return 0;
}
