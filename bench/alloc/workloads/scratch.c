// scratch THREADS ROUNDS: does an allocator make threads share cache lines? The main thread makes a
// small object for each thread; each frees the one it was given, and from then on makes small
// objects of its own, one after the other, and writes each of them many times.
#include "work.h"

enum { kObjectBytes = 16, kWrites = 400, kMaxThreads = 64, kOtherObjects = 30000 };

typedef struct {
  volatile uint64_t* object;
  int index;
  uint64_t sum;
} Task;

static long rounds;

static void* work(void* data) {
  Task* task = data;
  run_on_cpu(task->index);
  volatile uint64_t* object = task->object;
  uint64_t sum = 0;
  for (long round = 0; round < rounds; ++round) {
    free((void*)(uintptr_t)object);
    object = malloc(kObjectBytes);
    if (object == NULL) fail("malloc returned NULL");
    object[0] = (uint64_t)round;
    for (int i = 0; i < kWrites; ++i) object[0] = object[0] * 3 + 1;
    sum += object[0];
  }
  free((void*)(uintptr_t)object);
  task->sum = sum;
  return NULL;
}

int main(int argc, char** argv) {
  const long threads = argument(argc, argv, 1);
  rounds = argument(argc, argv, 2) / threads;
  if (threads > kMaxThreads) fail("too many threads");
  static void* others[kOtherObjects];
  const Sizes sizes = sizes_between(16, 1024);
  uint64_t random = 1;
  for (uint32_t i = 0; i < kOtherObjects; ++i)
    others[i] = block_new(random_size(&sizes, &random), i);

  Task* tasks = calloc(kMaxThreads, sizeof *tasks);
  pthread_t running[kMaxThreads];
  for (int i = 0; i < threads; ++i) {
    tasks[i].index = i;
    tasks[i].object = calloc(1, kObjectBytes);
  }
  for (long i = 0; i < threads; ++i) running[i] = thread_start(work, &tasks[i]);
  uint64_t sum = 0;
  for (long i = 0; i < threads; ++i) {
    pthread_join(running[i], NULL);
    sum += tasks[i].sum;
  }
  free(tasks);
  for (int i = 0; i < kOtherObjects; ++i) sum += block_free(others[i]);
  report_sum("scratch", sum);
  return 0;
}
