// startup: the heap of a very small program: a hundred blocks of 10 to 2,000 bytes, all written, a
// third of them freed. What it costs beside a program that allocates nothing is the allocator's
// start.
#include <stdlib.h>
#include <string.h>

enum { kBlocks = 100 };

int main(void) {
  void* blocks[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) {
    // Small ones are the most frequent, as in most programs.
    const size_t part = i * 37 % kBlocks;
    const size_t bytes = 10 + part * part * part * 1990 / (99 * 99 * 99);
    blocks[i] = malloc(bytes);
    if (blocks[i] == NULL) return 1;
    memset(blocks[i], (int)i, bytes);
    if (i % 3 == 2) free(blocks[i - 1]);
  }
  return 0;
}
