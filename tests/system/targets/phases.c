// Goes through phases on request: at each line of its input it does what the line says, and answers
// with a line.
//
//   grow N SIZE   N more live blocks of SIZE bytes, all of them written to
//   drop          frees all but every hundredth of the blocks of the last grow
//   spin          from now on a thread is inside malloc and free nearly all the time
//   call          from now on another thread waits in a system call
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { MOST = 1 << 20 };
static void* blocks[MOST];
static long block_count, grown_from;

static void* spin(void* unused) {
  (void)unused;
  for (unsigned i = 0;; ++i) {
    void* volatile block = malloc(1000 + i % 5000);
    free(block);
  }
  return NULL;
}

static void* wait_in_call(void* unused) {
  (void)unused;
  int ends[2];
  char byte;
  if (pipe(ends) != 0) abort();
  while (read(ends[0], &byte, 1) != 0) {
  }
  return NULL;
}

static void grow(long count, size_t size) {
  grown_from = block_count;
  for (long i = 0; i < count && block_count < MOST; ++i) {
    blocks[block_count] = malloc(size);
    memset(blocks[block_count++], 0x11, size);
  }
}

static void drop(void) {
  for (long i = grown_from; i < block_count; ++i) {
    if (i % 100 == 0) continue;
    free(blocks[i]);
    blocks[i] = NULL;
  }
}

int main(void) {
  static char line[256];
  pthread_t thread;
  setvbuf(stdin, NULL, _IONBF, 0);
  setvbuf(stdout, NULL, _IONBF, 0);
  printf("ready\n");
  while (fgets(line, sizeof line, stdin) != NULL) {
    long count;
    size_t size;
    if (sscanf(line, "grow %ld %zu", &count, &size) == 2) grow(count, size);
    if (strncmp(line, "drop", 4) == 0) drop();
    if (strncmp(line, "spin", 4) == 0) pthread_create(&thread, NULL, spin, NULL);
    if (strncmp(line, "call", 4) == 0) pthread_create(&thread, NULL, wait_in_call, NULL);
    printf("done\n");
  }
  _exit(0);
}
