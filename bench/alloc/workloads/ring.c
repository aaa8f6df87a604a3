// ring MESSAGES: one thread makes small messages, another reads and frees them, each by itself,
// through a ring without locks: the frees of one thread meet the allocations of another all the
// time.
#include <stdalign.h>
#include <stdatomic.h>

#include "work.h"

enum { kRing = 4096, kHeld = 32768, kStep = 64 };  // positions are published every kStep messages

static void* ring[kRing];
static void* held[kHeld];  // read, not yet freed
static alignas(128) atomic_size_t produced;
static alignas(128) atomic_size_t consumed;
static size_t messages_count;

static void* produce(void* unused) {
  (void)unused;
  run_on_cpu(1);
  uint64_t random = 1;
  for (size_t i = 0; i < messages_count; ++i) {
    if (i % kStep == 0) {
      atomic_store_explicit(&produced, i, memory_order_release);
      while (i + kStep - atomic_load_explicit(&consumed, memory_order_acquire) > kRing) {
        sched_yield();
      }
    }
    const uint64_t dice = random_next(&random);
    ring[i % kRing] = block_new(16 + dice % 80, (uint32_t)(dice >> 32));
  }
  atomic_store_explicit(&produced, messages_count, memory_order_release);
  return NULL;
}

static uint64_t consume(void) {
  uint64_t sum = 0;
  for (size_t i = 0; i < messages_count;) {
    const size_t end = atomic_load_explicit(&produced, memory_order_acquire);
    if (i == end) sched_yield();
    while (i < end) {
      void** slot = &held[i % kHeld];
      sum += block_free(*slot);
      *slot = ring[i % kRing];
      if (++i % kStep == 0) atomic_store_explicit(&consumed, i, memory_order_release);
    }
  }
  for (size_t i = 0; i < kHeld; ++i) sum += block_free(held[i]);
  return sum;
}

int main(int argc, char** argv) {
  messages_count = (size_t)argument(argc, argv, 1);
  const pthread_t producer = thread_start(produce, NULL);
  run_on_cpu(0);
  const uint64_t sum = consume();
  pthread_join(producer, NULL);
  report_sum("ring", sum);
  return 0;
}
