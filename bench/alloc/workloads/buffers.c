// buffers own|passed THREADS SMALLEST LARGEST COUNT: threads that each replace buffers at random,
// of which they write no more than the first and the last word: what is left is the allocator.
//   own     a thread frees what it made
//   passed  in a table of all threads: what a thread frees is most likely another's
#include <stdalign.h>
#include <stdatomic.h>

#include "work.h"

enum { kSlots = 16, kMaxThreads = 64 };

typedef struct {
  uint64_t seed;
  atomic_uintptr_t* slots;
  uint32_t slot_count;
  uint64_t sum;
} Task;

static alignas(128) atomic_uintptr_t slots[kMaxThreads * kSlots];
static Sizes sizes;
static long count;

static uint64_t word_of(uint64_t bytes) {
  return bytes * 0x9e3779b97f4a7c15u | 1;
}

static uint64_t drop(uintptr_t address) {
  if (address == 0) return 0;
  const uint64_t* block = (const uint64_t*)address;
  const uint64_t bytes = block[0];
  if (block[bytes / sizeof *block - 1] != word_of(bytes)) fail("a buffer was disturbed");
  free((void*)address);
  return bytes;
}

static void* make(uint64_t bytes) {
  uint64_t* block = malloc(bytes);
  if (block == NULL) fail("malloc returned NULL");
  block[0] = bytes;
  block[bytes / sizeof *block - 1] = word_of(bytes);
  return block;
}

static void* work(void* data) {
  Task* task = data;
  uint64_t random = task->seed;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const uint64_t dice = random_next(&random);
    atomic_uintptr_t* slot = &task->slots[(dice >> 32) % task->slot_count];
    const uint64_t bytes = sizes.bytes[dice % kSizesCount] & ~7u;
    sum += drop(atomic_exchange_explicit(slot, 0, memory_order_acq_rel));
    sum += drop(atomic_exchange_explicit(slot, (uintptr_t)make(bytes), memory_order_acq_rel));
  }
  task->sum = sum;
  return NULL;
}

int main(int argc, char** argv) {
  const int passed = strcmp(argv[1], "passed") == 0;
  const long threads = argument(argc, argv, 2);
  sizes = sizes_between((uint32_t)argument(argc, argv, 3), (uint32_t)argument(argc, argv, 4));
  count = argument(argc, argv, 5) / threads;
  if (threads > kMaxThreads) fail("too many threads");
  static Task tasks[kMaxThreads];
  pthread_t running[kMaxThreads];
  for (long i = 0; i < threads; ++i) {
    tasks[i] = (Task){.seed = (uint64_t)i + 1,
                      .slots = passed ? slots : slots + i * kSlots,
                      .slot_count = passed ? (uint32_t)threads * kSlots : kSlots};
    running[i] = thread_start(work, &tasks[i]);
  }
  uint64_t sum = 0;
  for (long i = 0; i < threads; ++i) {
    pthread_join(running[i], NULL);
    sum += tasks[i].sum;
  }
  for (long i = 0; i < kMaxThreads * kSlots; ++i) sum += drop(atomic_load(&slots[i]));
  report_sum("buffers", sum);
  return 0;
}
