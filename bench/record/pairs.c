// pairs THREADS PAIRS: PAIRS mallocs and as many frees of mixed sizes, divided among threads. Each
// malloc is ten calls deep, by one of a few ways; each thread has a thousand blocks at once.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBlocks = 1000, kDepth = 10, kMostThreads = 64 };

static long pairs_each;

// A way down is a word of bits: which of the two calls each function takes.
static __attribute__((noinline)) void* descend(unsigned depth, unsigned way, size_t bytes) {
  void* block = NULL;
  if (depth == 0) {
    block = malloc(bytes);
  } else if ((way & 1U) != 0) {
    block = descend(depth - 1, way >> 1, bytes);
  } else {
    block = descend(depth - 1, way >> 1, bytes);
  }
  __asm__ volatile("" : "+r"(block));  // so that the call is no jump
  return block;
}

static void* work(void* seed) {
  static __thread void* blocks[kBlocks];
  uint64_t random = (uint64_t)(uintptr_t)seed;
  for (long i = 0; i < pairs_each; ++i) {
    random = random * 6364136223846793005U + 1442695040888963407U;  // Knuth, MMIX
    const size_t place = (size_t)(random >> 40) % kBlocks;
    free(blocks[place]);
    blocks[place] = descend(kDepth - 1, (unsigned)(random >> 60) & 3U, 16 + (random >> 50) % 1000);
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  return NULL;
}

int main(int argc, char** argv) {
  const long threads = argc > 1 ? strtol(argv[1], NULL, 10) : 1;
  if (argc != 3 || threads < 1 || threads > kMostThreads) {
    fputs("usage: pairs THREADS PAIRS\n", stderr);
    return 2;
  }
  pairs_each = strtol(argv[2], NULL, 10) / threads;
  pthread_t running[kMostThreads];
  for (long i = 0; i < threads; ++i) {
    pthread_create(&running[i], NULL, work, (void*)(uintptr_t)(i + 1));
  }
  for (long i = 0; i < threads; ++i) pthread_join(running[i], NULL);
  return 0;
}
