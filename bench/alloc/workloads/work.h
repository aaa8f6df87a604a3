// What the synthetic workloads in C share (those in C++: work_cc.h): random numbers that are the
// same on every machine, sizes as programs ask for them, and blocks that show when they were
// disturbed.
//
// A workload does a fixed amount of work from fixed seeds and prints one line that depends on every
// block's contents, whatever the order in which its threads ran. It is the same with every
// allocator that works; bench/alloc/run compares it.
#pragma once

#include <inttypes.h>
#include <math.h>
#include <pthread.h>
#include <sched.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static inline void fail(const char* what) {
  fprintf(stderr, "%s\n", what);
  exit(1);
}

// The generator SplitMix64, by its published constants.
static inline uint64_t random_next(uint64_t* state) {
  uint64_t z = (*state += 0x9e3779b97f4a7c15u);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
  return z ^ (z >> 31);
}

static inline uint32_t random_below(uint64_t* state, uint32_t limit) {
  return (uint32_t)(((random_next(state) >> 32) * limit) >> 32);
}

// Sizes as programs ask for them: the larger, the rarer. Half are below smallest × ratio^¼.
enum { kSizesCount = 1024 };

typedef struct {
  uint32_t bytes[kSizesCount];
} Sizes;

static inline Sizes sizes_between(uint32_t smallest, uint32_t largest) {
  Sizes sizes;
  for (int i = 0; i < kSizesCount; ++i) {
    const double part = (double)i / (kSizesCount - 1);
    sizes.bytes[i] = (uint32_t)(smallest * pow((double)largest / smallest, part * part));
  }
  return sizes;
}

static inline size_t random_size(const Sizes* sizes, uint64_t* state) {
  return sizes->bytes[random_next(state) % kSizesCount];
}

// A block begins and ends with the same word, which tells its size and its number; between them
// every byte is written. A block is of 16 bytes or more.
static inline void block_stamp(void* block, size_t bytes, uint32_t number) {
  const uint64_t word = (uint64_t)number << 32 | (uint32_t)bytes;
  memset(block, (int)(number & 0xff), bytes);
  memcpy(block, &word, sizeof word);
  memcpy((char*)block + bytes - sizeof word, &word, sizeof word);
}

static inline void* block_new(size_t bytes, uint32_t number) {
  void* block = malloc(bytes);
  if (block == NULL) fail("malloc returned NULL");
  block_stamp(block, bytes, number);
  return block;
}

// The word of a block, after a look at whether both copies of it are still there.
static inline uint64_t block_word(const void* block) {
  uint64_t first;
  uint64_t last;
  memcpy(&first, block, sizeof first);
  memcpy(&last, (const char*)block + (uint32_t)first - sizeof last, sizeof last);
  if (first != last) fail("a block was disturbed");
  return first;
}

static inline uint64_t block_free(void* block) {
  if (block == NULL) return 0;
  const uint64_t word = block_word(block);
  free(block);
  return word;
}

static inline long argument(int argc, char** argv, int index) {
  if (index >= argc) fail("too few arguments");
  return atol(argv[index]);
}

static inline pthread_t thread_start(void* (*function)(void*), void* data) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, function, data) != 0) fail("pthread_create failed");
  return thread;
}

// Where threads must really run side by side: puts the caller on the index-th processor that it may
// use, as far as there are so many.
static inline void run_on_cpu(int index) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return;
  index %= CPU_COUNT(&allowed);
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || index-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

static inline void report_sum(const char* workload, uint64_t sum) {
  printf("%s %016" PRIx64 "\n", workload, sum);
}
