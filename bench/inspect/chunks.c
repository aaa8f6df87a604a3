// A heap of so many chunks: chunks COUNT LEAST MOST makes blocks of LEAST to MOST bytes, frees
// three of ten at random, says "ready" and stands still until its input ends.
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

static uint64_t state = 88172645463325252;

// Marsaglia's xorshift: the same heap each time.
static uint64_t next_random(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

int main(int argc, char** argv) {
  if (argc != 4) return 2;
  const size_t count = strtoull(argv[1], NULL, 10);
  const size_t least = strtoull(argv[2], NULL, 10);
  const size_t most = strtoull(argv[3], NULL, 10);
  char** blocks = malloc(count * sizeof *blocks);
  if (blocks == NULL) return 1;
  for (size_t i = 0; i < count; ++i) {
    const size_t size = least + next_random() % (most - least + 1);
    blocks[i] = malloc(size);
    if (blocks[i] == NULL) return 1;
    blocks[i][0] = 1;
    blocks[i][size - 1] = 1;
  }
  for (size_t i = 0; i < count; ++i) {
    if (next_random() % 10 < 3) free(blocks[i]);
  }
  char byte;
  if (write(STDOUT_FILENO, "ready\n", 6) != 6) return 1;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  return 0;
}
