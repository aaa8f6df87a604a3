// churns MIB: holds a heap of so many MiB of small blocks, and two threads that go on allocating
// and freeing others, with pauses, until the input ends.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS_OF_THREAD = 500, BLOCK_BYTES = 200 };

static void* churn(void* argument) {
  void* blocks[BLOCKS_OF_THREAD] = {NULL};
  uint32_t random = (uint32_t)(uintptr_t)argument;
  for (;;) {
    random = random * 1103515245 + 12345;
    void** block = &blocks[(random >> 8) % BLOCKS_OF_THREAD];
    free(*block);
    const size_t size = 16 + (random >> 16) % 3000;
    *block = malloc(size);
    memset(*block, 1, size);
    if ((random >> 8) % 32 == 0) usleep(1000);
  }
  return NULL;
}

int main(int argc, char** argv) {
  const size_t count = strtoull(argc > 1 ? argv[1] : "1", NULL, 10) * 1048576 / (BLOCK_BYTES + 8);
  char** blocks = malloc(count * sizeof *blocks);
  for (size_t i = 0; i < count; ++i) {
    blocks[i] = malloc(BLOCK_BYTES);
    memset(blocks[i], 1, BLOCK_BYTES);
  }
  for (uintptr_t i = 1; i <= 2; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, churn, (void*)i);
  }
  printf("live: %zu\nready\n", count);
  fflush(stdout);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}
