// Blocks outlive the thread that allocated them: others check them, grow them, free them when their
// owner has gone; and the memory comes back into use: generation after generation takes no more.
#include <pthread.h>

#include "probe.h"

enum { kThreads = 8, kBlocks = 4000, kGenerations = 20 };
static void* blocks[kThreads][kBlocks];

static size_t size_of(size_t thread, size_t i) {
  return 8 + (i * 37 + thread * 11) % 900 * (i % 50 == 0 ? 40 : 1);
}

static void* own(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[me][i] = malloc(size_of(me, i));
    EXPECT(blocks[me][i] != NULL);
    fill(blocks[me][i], size_of(me, i), me * kBlocks + i);
  }
  return NULL;
}

// Frees what thread me + 1 left, from the last to the first, every third by way of realloc.
static void* inherit(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument, from = (me + 1) % kThreads;
  for (size_t i = kBlocks; i-- > 0;) {
    const size_t size = size_of(from, i);
    check_filled(blocks[from][i], size, size, from * kBlocks + i);
    if (i % 3 == 0) {
      blocks[from][i] = realloc(blocks[from][i], size + 100);
      EXPECT(blocks[from][i] != NULL);
      check_filled(blocks[from][i], size, size, from * kBlocks + i);
    }
    free(blocks[from][i]);
  }
  return NULL;
}

static void run(void* (*work)(void*)) {
  pthread_t threads[kThreads];
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, work, (void*)(uintptr_t)i), ==, 0);
  }
  for (size_t i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
}

int main(void) {
  size_t first = 0;
  for (size_t generation = 0; generation < kGenerations; ++generation) {
    run(own);
    if (generation % 5 == 4) {
      for (size_t i = 0; i < kThreads; ++i) inherit((void*)(uintptr_t)i);
    } else {
      run(inherit);
    }
    if (generation == 6) first = peak_rss_bytes();
  }
  EXPECT_NUMBERS(peak_rss_bytes(), <, first + first / 5 + 4 * MIB);
  return ok();
}
