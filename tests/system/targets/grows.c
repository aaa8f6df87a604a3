// grows MIB [damaged]: again and again a heap of so many MiB of small blocks, and then none of
// them, until it is killed or the input ends. Much of the time the kernel gives it pages that
// malloc is writing its first word to. "damaged": before that it writes past the end of a block
// that stays.
#include <malloc.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MEAN_BYTES = 300 };

/// Over the size of the block behind it; returns where that is.
static size_t damage(void) {
  char* const block = malloc(MEAN_BYTES);
  const size_t room = malloc_usable_size(block);
  if (block == NULL || malloc(MEAN_BYTES) != block + room + sizeof room) abort();
  for (volatile char* at = block + room; at < block + room + sizeof room; ++at) *at = 'A';
  return (size_t)(block + room);
}

int main(int argc, char** argv) {
  const size_t count = strtoull(argc > 1 ? argv[1] : "1", NULL, 10) * 1048576 / MEAN_BYTES;
  char** const blocks = calloc(count, sizeof *blocks);
  if (argc > 2 && strcmp(argv[2], "damaged") == 0) printf("damaged: %zu\n", damage());
  printf("ready\n");
  fflush(stdout);
  for (;;) {
    for (size_t i = 0; i < count; ++i) {
      const size_t size = MEAN_BYTES / 2 + i % MEAN_BYTES;
      blocks[i] = malloc(size);
      memset(blocks[i], 1, size);
    }
    for (size_t i = 0; i < count; ++i) free(blocks[i]);
    struct pollfd input = {.fd = STDIN_FILENO};
    if (poll(&input, 1, 0) != 0) return 0;
  }
}
