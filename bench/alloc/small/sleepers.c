// sleepers THREADS small|all [shuffled]: what stays of a heap whose threads free all that they made
// and go to sleep. Together they make 450 MB of blocks, of 16 bytes to 1 KiB or of all sizes up to
// 230 KB, write them, and free each its own, in the order in which they were made or shuffled. A
// second later, without a call in between, the resident memory is printed with its height. The
// lists of blocks are no heap memory and not counted.
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <time.h>

#include "resident.h"

enum { kMostThreads = 256, kLeastBlock = 16 };
static const size_t kHeapBytes = 450000000;

static size_t thread_bytes;
static int is_small;
static int is_shuffled;
static void** lists[kMostThreads];
static size_t counts[kMostThreads];
static pthread_barrier_t barrier;

static uint32_t random_next(uint64_t* state) {
  *state = *state * 6364136223846793005u + 1442695040888963407u;
  return (uint32_t)(*state >> 33);
}

static size_t next_size(uint64_t* state) {
  if (is_small) return kLeastBlock + random_next(state) % 1000;
  const uint32_t dice = random_next(state) % 100;
  if (dice < 70) return kLeastBlock + random_next(state) % 500;
  if (dice < 95) return 500 + random_next(state) % 8000;
  if (dice < 99) return 8000 + random_next(state) % 24000;
  return 33000 + random_next(state) % 200000;
}

static size_t list_bytes(void) {
  return (thread_bytes / kLeastBlock + 1) * sizeof(void*);
}

static void make_blocks(size_t number, uint64_t* random) {
  void** list = lists[number];
  size_t count = 0;
  for (size_t made = 0; made < thread_bytes;) {
    const size_t bytes = next_size(random);
    list[count] = malloc(bytes);
    if (list[count] == NULL) exit(1);
    memset(list[count++], 1, bytes);
    made += bytes;
  }
  counts[number] = count;
}

static void shuffle(void** list, size_t count, uint64_t* random) {
  for (size_t i = count - 1; i > 0; --i) {
    const size_t other = random_next(random) % (i + 1);
    void* const block = list[i];
    list[i] = list[other];
    list[other] = block;
  }
}

static void* run(void* argument) {
  const size_t number = (size_t)(uintptr_t)argument;
  uint64_t random = number + 1;
  make_blocks(number, &random);
  pthread_barrier_wait(&barrier);  // all is made
  pthread_barrier_wait(&barrier);  // and measured
  if (is_shuffled) shuffle(lists[number], counts[number], &random);
  for (size_t i = 0; i < counts[number]; ++i) free(lists[number][i]);
  pthread_barrier_wait(&barrier);  // all is free
  pthread_barrier_wait(&barrier);  // and measured
  return NULL;
}

int main(int argc, char** argv) {
  const long threads = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
  if (threads < 1 || threads > kMostThreads) {
    fputs("usage: sleepers THREADS small|all [shuffled]\n", stderr);
    return 2;
  }
  is_small = strcmp(argv[2], "small") == 0;
  is_shuffled = argc > 3;
  thread_bytes = kHeapBytes / (size_t)threads;
  pthread_barrier_init(&barrier, NULL, (unsigned)threads + 1);
  pthread_t running[kMostThreads];
  for (long i = 0; i < threads; ++i) {
    lists[i] = mmap(NULL, list_bytes(), PROT_READ | PROT_WRITE,
                    MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (lists[i] == MAP_FAILED) return 1;
    if (pthread_create(&running[i], NULL, run, (void*)(uintptr_t)i) != 0) return 1;
  }
  pthread_barrier_wait(&barrier);
  long peak_kib = resident_kib();
  for (long i = 0; i < threads; ++i) peak_kib -= (long)(counts[i] * sizeof(void*) / 1024);
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  for (long i = 0; i < threads; ++i) munmap(lists[i], list_bytes());
  const struct timespec second = {1, 0};
  nanosleep(&second, NULL);
  const long after_kib = resident_kib();
  printf("{\"peak_kib\": %ld, \"after_kib\": %ld, \"percent\": %.1f}\n", peak_kib, after_kib,
         100.0 * (double)after_kib / (double)peak_kib);
  pthread_barrier_wait(&barrier);
  for (long i = 0; i < threads; ++i) pthread_join(running[i], NULL);
  return 0;
}
