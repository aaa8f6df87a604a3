// Experiment 2: how far apart two blocks are, and what realloc can do
// with a block.
#include <malloc.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

int main(void) {
  char* first = malloc(24);
  char* second = malloc(24);
  const size_t usable_bytes = malloc_usable_size(first);

  // A block that only ever becomes shorter.
  char* block = malloc(1000);
  int moves = 0;
  for (size_t bytes = 900; bytes >= 100; bytes -= 100) {
    const uintptr_t before = (uintptr_t)block;
    block = realloc(block, bytes);
    if ((uintptr_t)block != before) ++moves;
  }

  printf("from the first block to the second: %td\n", second - first);
  printf("usable of 24 bytes: %zu\n", usable_bytes);
  printf("moves of nine that make shorter: %d\n", moves);
  free(block);
  free(second);
  free(first);
  return 0;
}
