// crashes beside|overflow: ends by a signal while two threads change their own heaps without a
// pause.
//   beside    by a write to where nothing is; no heap is damaged
//   overflow  by abort(), with a block of the main heap overflown that is not freed any more
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { BLOCKS = 64, KEPT = 4, BLOCK_BYTES = 3000 };

static void* grow(void* unused) {
  (void)unused;
  for (;;) {
    void* blocks[BLOCKS];
    for (int i = 0; i < BLOCKS; ++i) {
      blocks[i] = malloc((size_t)(BLOCK_BYTES + 8 * i));
      memset(blocks[i], 1, 8);
    }
    for (int i = KEPT; i < BLOCKS; ++i) free(blocks[i]);
  }
  return NULL;
}

int main(int argc, char** argv) {
  char* block = malloc(BLOCK_BYTES);
  char* next = malloc(BLOCK_BYTES);
  for (int i = 0; i < 2; ++i) {
    pthread_t thread;
    pthread_create(&thread, NULL, grow, NULL);
  }
  usleep(30000);
  if (argc > 1 && strcmp(argv[1], "overflow") == 0) {
    memset(block, 'x', (size_t)(next - block));
    abort();
  }
  *(volatile int*)NULL = 1;
  return 0;
}
