// 2 to 512 threads alive at once, each with blocks of its own; then each frees its neighbour's.
// What a thread costs in memory stays small, and is given to other threads later.
#include <pthread.h>

#include "probe.h"

enum { kMost = 512, kBlocks = 60 };
static void* blocks[kMost][kBlocks];
static size_t alive_count;
static pthread_barrier_t barrier;

static void* work(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument, other = (me + 1) % alive_count;
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[me][i] = malloc(16 + i * 20);
    EXPECT(blocks[me][i] != NULL);
    fill(blocks[me][i], 16 + i * 20, me + i);
  }
  pthread_barrier_wait(&barrier);
  for (size_t i = 0; i < kBlocks; ++i) {
    check_filled(blocks[other][i], 16 + i * 20, 16 + i * 20, other + i);
    free(blocks[other][i]);
    free(malloc(16 + i * 20));
  }
  pthread_barrier_wait(&barrier);
  return NULL;
}

static void run(size_t count) {
  static pthread_t threads[kMost];
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * KIB);
  alive_count = count;
  pthread_barrier_init(&barrier, NULL, (unsigned)count);
  for (size_t i = 0; i < count; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], &attributes, work, (void*)(uintptr_t)i), ==, 0);
  }
  for (size_t i = 0; i < count; ++i) pthread_join(threads[i], NULL);
  pthread_barrier_destroy(&barrier);
}

int main(void) {
  watchdog(100);
  for (size_t count = 2; count <= kMost; count *= 2) {
    for (unsigned round = 0; round < 3; ++round) run(count);
  }
  const size_t before = rss_bytes();
  for (unsigned round = 0; round < 10; ++round) run(kMost);
  EXPECT_NUMBERS(rss_bytes(), <, before + before / 4 + 8 * MIB);
  // 36 KiB of blocks, 16 KiB of stack that was touched, and room for a cache.
  EXPECT_NUMBERS(peak_rss_bytes(), <, kMost * 160 * KIB + 16 * MIB);
  return ok();
}
