/* Asks for blocks of many sizes and prints, summed up at the moment when most of them are live,
   what it asked for and what the allocator says that it gave. Nothing else of it is live then but
   what the C library has for itself before main(). */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBlocks = 3000 };

static void* blocks[kBlocks];

int main(void) {
  unsigned long requested = 0;
  unsigned long usable = 0;
  // With an alignment they may be larger, which says nothing of others.
  for (size_t bytes = 8; bytes <= 704; bytes += 8) free(aligned_alloc(4096, bytes));
  for (unsigned i = 0; i < kBlocks; ++i) {
    const size_t bytes = 1 + (i * 7919UL) % (i % 10 == 0 ? 200000 : 700);
    blocks[i] = malloc(bytes);
    if (blocks[i] == NULL) return 1;
    requested += bytes;
    usable += malloc_usable_size(blocks[i]);
  }
  for (unsigned i = 0; i < kBlocks; ++i) free(blocks[i]);
  printf("blocks: %d\nrequested: %lu\nusable: %lu\n", kBlocks, requested, usable);
  return 0;
}
