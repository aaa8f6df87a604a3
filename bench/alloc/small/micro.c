// micro: what one malloc and one free cost, in ns a pair; prints a JSON object. Each case is
// repeated in batches, and the median batch counts. Built a second time against the floor
// (floor.h), whose cases are those of small blocks within a thread.
#include <pthread.h>
#include <sched.h>
#include <stdalign.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#ifdef MICRO_OF_FLOOR
#include "floor.h"
#define MALLOC floor_malloc
#define FREE floor_free
enum { kIsFloor = 1 };
#else
#define MALLOC malloc
#define FREE free
enum { kIsFloor = 0 };
#endif

enum { kMaxObjects = 1000000, kBatches = 15, kRing = 4096, kStep = 64 };

typedef struct {
  const char* name;
  long (*run)(size_t bytes, uint32_t objects, long pairs);  // returns how many pairs it made
  size_t bytes;
  uint32_t objects;
  long pairs;
  int floor_has_it;
} Case;

static void* objects_of[kMaxObjects];

static void* make(size_t bytes) {
  uint64_t* block = MALLOC(bytes);
  if (block == NULL) abort();
  *(volatile uint64_t*)block = bytes;
  return block;
}

static long immediate(size_t bytes, uint32_t objects, long pairs) {
  (void)objects;
  for (long i = 0; i < pairs; ++i) FREE(make(bytes));
  return pairs;
}

// Replaces objects at random; the first batch fills the table and mixes it well.
static long replace(size_t bytes, uint32_t objects, long pairs) {
  static uint32_t random = 1;
  const int is_first = objects_of[0] == NULL;
  if (is_first) {
    for (uint32_t i = 0; i < objects; ++i) objects_of[i] = make(bytes);
    pairs += 2 * (long)objects;
  }
  for (long i = 0; i < pairs; ++i) {
    random = random * 1664525u + 1013904223u;
    void** slot = &objects_of[(uint64_t)random * objects >> 32];
    FREE(*slot);
    *slot = make(bytes);
  }
  return pairs;
}

static void drop_objects(uint32_t objects) {
  for (uint32_t i = 0; i < objects && objects_of[i] != NULL; ++i) {
    FREE(objects_of[i]);
    objects_of[i] = NULL;
  }
}

// One write a page, as the first use of a buffer makes.
static long touched(size_t bytes, uint32_t objects, long pairs) {
  (void)objects;
  for (long i = 0; i < pairs; ++i) {
    volatile char* block = make(bytes);
    for (size_t at = 0; at < bytes; at += 4096) block[at] = 1;
    FREE((void*)(uintptr_t)block);
  }
  return pairs;
}

static void* ring[kRing];
static alignas(128) atomic_long made;
static alignas(128) atomic_long taken;

static cpu_set_t allowed;  // as the process was started

static void run_on_cpu(size_t wanted) {
  for (size_t cpu = 0; cpu < CPU_SETSIZE; ++cpu) {
    if (!CPU_ISSET(cpu, &allowed) || wanted-- > 0) continue;
    cpu_set_t one;
    CPU_ZERO(&one);
    CPU_SET(cpu, &one);
    sched_setaffinity(0, sizeof one, &one);
    return;
  }
}

static void* take(void* pairs) {
  const long end = *(long*)pairs;
  run_on_cpu(1);
  for (long i = 0; i < end;) {
    const long ready = atomic_load_explicit(&made, memory_order_acquire);
    if (ready == i) sched_yield();
    while (i < ready) FREE(ring[i++ % kRing]);
    atomic_store_explicit(&taken, i, memory_order_release);
  }
  return NULL;
}

// The blocks of one thread are freed by another, while both go on. Each has a processor to itself:
// two threads that take turns on one would not meet. How far they are is told now and then only, so
// that the blocks are most of what they share.
static long across_threads(size_t bytes, uint32_t objects, long pairs) {
  (void)objects;
  pthread_t taker;
  atomic_store(&made, 0);
  atomic_store(&taken, 0);
  if (pthread_create(&taker, NULL, take, &pairs) != 0) abort();
  for (long i = 0; i < pairs;) {
    while (i + kStep - atomic_load_explicit(&taken, memory_order_acquire) > kRing) sched_yield();
    for (const long end = i + kStep; i < end; ++i) ring[i % kRing] = make(bytes);
    atomic_store_explicit(&made, i, memory_order_release);
  }
  pthread_join(taker, NULL);
  return pairs;
}

static const Case kCases[] = {
    {"pair of 16 bytes", immediate, 16, 0, 200000, 1},
    {"pair of 64 bytes", immediate, 64, 0, 200000, 1},
    {"pair of 1,024 bytes", immediate, 1024, 0, 200000, 1},
    {"random in 1,000 of 64 bytes", replace, 64, 1000, 200000, 1},
    {"random in 1,000 of 1,024 bytes", replace, 1024, 1000, 200000, 1},
    {"random in 1,000,000 of 64 bytes", replace, 64, kMaxObjects, 200000, 1},
    {"16 bytes from thread to thread", across_threads, 16, 0, 4096 * kStep, 0},
    {"random in 16 of 200 KB", replace, 200000, 16, 20000, 0},
    {"2 MB, each page written", touched, 2000000, 0, 200, 0},
};

static double now_ns(void) {
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &now);
  return (double)now.tv_sec * 1e9 + (double)now.tv_nsec;
}

static int compare(const void* a, const void* b) {
  const double x = *(const double*)a;
  const double y = *(const double*)b;
  return (x > y) - (x < y);
}

static double median_ns(const Case* test) {
  double batches[kBatches];
  test->run(test->bytes, test->objects, test->pairs);
  for (int i = 0; i < kBatches; ++i) {
    const double begin = now_ns();
    const long pairs = test->run(test->bytes, test->objects, test->pairs);
    batches[i] = (now_ns() - begin) / (double)pairs;
  }
  drop_objects(test->objects);
  qsort(batches, kBatches, sizeof *batches, compare);
  return batches[kBatches / 2];
}

int main(void) {
  if (sched_getaffinity(0, sizeof allowed, &allowed) != 0) return 1;
  run_on_cpu(0);
  const char* separator = "{";
  for (size_t i = 0; i < sizeof kCases / sizeof *kCases; ++i) {
    if (kIsFloor && !kCases[i].floor_has_it) continue;
    printf("%s\"%s\": %.2f", separator, kCases[i].name, median_ns(&kCases[i]));
    separator = ", ";
  }
  printf("}\n");
  return 0;
}
