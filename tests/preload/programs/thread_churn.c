// Threads that come and go, each with blocks that it frees itself, that it leaves to others, that
// it gets from others: neither resident nor mapped memory may grow once the first have been.
//   thread_churn [--threads N]
#include <pthread.h>

#include "probe.h"

enum { kAlive = 4, kBlocks = 24 };
typedef struct {
  void* blocks[kBlocks];
  size_t sizes[kBlocks];
} Parcel;
static Parcel parcels[kAlive];

static void* work(void* argument) {
  Parcel* parcel = argument;
  uint64_t random = (uint64_t)(uintptr_t)pthread_self() ^ (uint64_t)parcel->sizes[0];
  void* own[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) {
    own[i] = malloc(1 + random_size(&random, 12));
    EXPECT(own[i] != NULL);
  }
  // What the thread before left is checked and freed here, and as much left to the next.
  for (size_t i = 0; i < kBlocks; ++i) {
    if (parcel->blocks[i] != NULL)
      check_filled(parcel->blocks[i], parcel->sizes[i], parcel->sizes[i], i);
    free(parcel->blocks[i]);
    parcel->sizes[i] = 1 + random_size(&random, i == 0 ? 15 : 11);
    parcel->blocks[i] = malloc(parcel->sizes[i]);
    EXPECT(parcel->blocks[i] != NULL);
    fill(parcel->blocks[i], parcel->sizes[i], i);
  }
  for (size_t i = 0; i < kBlocks; ++i) free(own[i]);
  return NULL;
}

static void run_threads(size_t count) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, 64 * KIB);
  for (size_t done = 0; done < count; done += kAlive) {
    pthread_t threads[kAlive];
    for (size_t i = 0; i < kAlive; ++i) {
      EXPECT_NUMBERS(pthread_create(&threads[i], &attributes, work, &parcels[i]), ==, 0);
    }
    for (size_t i = 0; i < kAlive; ++i) pthread_join(threads[i], NULL);
  }
  pthread_attr_destroy(&attributes);
}

int main(int argc, char** argv) {
  const size_t count = option(argc, argv, "--threads", 100000);
  run_threads(count / 10);
  const size_t rss = rss_bytes(), mapped = mapped_bytes();
  run_threads(count);
  EXPECT_NUMBERS(rss_bytes(), <, rss + 1 * MIB);
  // One more of glibc's arenas may be: 64 MiB, or 128 where it has to align them.
  EXPECT_NUMBERS(mapped_bytes(), <, mapped + 256 * MIB);
  return ok();
}
