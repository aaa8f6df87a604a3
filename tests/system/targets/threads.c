// N threads alive at once, each with blocks of its own (hence arenas and stacks), then joined.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static pthread_barrier_t all_alive;

static void* work(void* unused) {
  (void)unused;
  for (size_t i = 1; i <= 100; ++i) {
    char* block = malloc(i * 1000);
    memset(block, 1, i * 1000);
    free(block);
  }
  pthread_barrier_wait(&all_alive);
  return NULL;
}

int main(int argc, char** argv) {
  const unsigned count = argc > 1 ? (unsigned)strtoul(argv[1], NULL, 10) : 64;
  pthread_t* threads = calloc(count, sizeof *threads);
  pthread_barrier_init(&all_alive, NULL, count);
  for (unsigned i = 0; i < count; ++i) {
    if (pthread_create(&threads[i], NULL, work, NULL) != 0) return 1;
  }
  for (unsigned i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  free(threads);
  printf("threads: %u\n", count);
  return 0;
}
