// One thread allocates a great many blocks, another frees them all, again and again; then in a ring
// of threads, where each frees what its neighbour allocated. Memory follows what is alive.
#include <pthread.h>

#include "probe.h"

enum { kBlocks = 30000, kThreads = 4, kRounds = 60 };
static void* blocks[kThreads][kBlocks];
static pthread_barrier_t barrier;
static size_t thread_count, block_count;

static size_t size_of(size_t i, size_t round) {
  return 16 + (i * 13 + round * 7) % 600;
}

static void allocate(size_t from, size_t round) {
  for (size_t i = 0; i < block_count; ++i) {
    blocks[from][i] = malloc(size_of(i, round));
    EXPECT(blocks[from][i] != NULL);
    fill(blocks[from][i], 16, i + from);
  }
}

static void release(size_t from) {
  for (size_t i = 0; i < block_count; ++i) {
    check_filled(blocks[from][i], 16, 16, i + from);
    free(blocks[from][i]);
  }
}

// In a pair, number 0 only allocates and number 1 only frees; in a ring, everybody does both.
static void* work(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument;
  for (size_t round = 0; round < kRounds; ++round) {
    if (thread_count > 2 || me == 0) allocate(me, round);
    pthread_barrier_wait(&barrier);
    if (thread_count > 2) {
      release((me + 1) % thread_count);
    } else if (me == 1) {
      release(0);
    }
    pthread_barrier_wait(&barrier);
  }
  return NULL;
}

static void run(size_t threads, size_t count) {
  pthread_t ids[kThreads];
  thread_count = threads;
  block_count = count;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads);
  for (size_t i = 0; i < threads; ++i) {
    EXPECT_NUMBERS(pthread_create(&ids[i], NULL, work, (void*)(uintptr_t)i), ==, 0);
  }
  for (size_t i = 0; i < threads; ++i) pthread_join(ids[i], NULL);
  pthread_barrier_destroy(&barrier);
}

int main(void) {
  watchdog(100);
  run(2, kBlocks);  // 10 MB at a time, 600 MB in all
  run(kThreads, kBlocks / 2);
  // 20 MB are alive at most.
  EXPECT_NUMBERS(peak_rss_bytes(), <, 80 * MIB);
  return ok();
}
