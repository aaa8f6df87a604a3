// thread_churn THREADS: a program that starts a thread for every task, four at a time. A task makes
// a few hundred objects; most die with it, some outlive it in a common table, where a later task
// finds and frees them. What a thread's cache holds at its end must not be lost.
#include <stdatomic.h>

#include "work.h"

enum { kAtOnce = 4, kObjects = 200, kLiveObjects = 50, kTable = 4096 };

static _Atomic(void*) table[kTable];
static _Atomic uint64_t made;
static _Atomic uint64_t freed;
static Sizes sizes;

static void* run_task(void* seed) {
  uint64_t random = (uintptr_t)seed;
  void* objects[kLiveObjects] = {NULL};
  uint64_t sum_made = 0;
  uint64_t sum_freed = 0;
  for (int i = 0; i < kObjects; ++i) {
    const uint64_t dice = random_next(&random);
    void* object = block_new(random_size(&sizes, &random), (uint32_t)dice);
    sum_made += block_word(object);
    if ((dice >> 40) % 8 == 0) object = atomic_exchange(&table[(dice >> 44) % kTable], object);
    sum_freed += block_free(objects[i % kLiveObjects]);
    objects[i % kLiveObjects] = object;
  }
  for (int i = 0; i < kLiveObjects; ++i) sum_freed += block_free(objects[i]);
  made += sum_made;
  freed += sum_freed;
  return NULL;
}

int main(int argc, char** argv) {
  const long threads = argument(argc, argv, 1);
  sizes = sizes_between(16, 2048);
  pthread_t running[kAtOnce];
  for (long i = 0; i < threads; ++i) {
    if (i >= kAtOnce) pthread_join(running[i % kAtOnce], NULL);
    running[i % kAtOnce] = thread_start(run_task, (void*)(i + 1));
  }
  for (long i = threads; i < threads + kAtOnce; ++i) pthread_join(running[i % kAtOnce], NULL);
  for (int i = 0; i < kTable; ++i) freed += block_free(table[i]);
  if (made != freed) fail("what was freed is not what was made");
  report_sum("thread_churn", freed);
  return 0;
}
