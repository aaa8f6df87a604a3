// Some threads only allocate, others only free: gigabytes flow through, and memory stays bounded by
// what is alive.
//   producer_consumer [--producers N] [--consumers N] [--megabytes N] [--bits N]
#include <pthread.h>

#include "probe.h"

enum { kQueue = 2048, kBatch = 64 };
typedef struct {
  void* block;
  size_t size;
} Item;

static Item queue[kQueue];
static size_t head, tail;  // of all items ever put and taken
static bool closed;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t not_full = PTHREAD_COND_INITIALIZER, not_empty = PTHREAD_COND_INITIALIZER;
static size_t bytes_per_producer;
static unsigned size_bits;

static void put(const Item* items, size_t count) {
  pthread_mutex_lock(&lock);
  while (head - tail + count > kQueue) pthread_cond_wait(&not_full, &lock);
  for (size_t i = 0; i < count; ++i) queue[head++ % kQueue] = items[i];
  pthread_cond_signal(&not_empty);
  pthread_mutex_unlock(&lock);
}

static size_t take(Item* items) {
  size_t count = 0;
  pthread_mutex_lock(&lock);
  while (head == tail && !closed) pthread_cond_wait(&not_empty, &lock);
  while (count < kBatch && tail < head) items[count++] = queue[tail++ % kQueue];
  pthread_cond_broadcast(&not_full);
  pthread_mutex_unlock(&lock);
  return count;
}

static void* produce(void* argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  Item items[kBatch];
  for (size_t total = 0; total < bytes_per_producer;) {
    for (size_t i = 0; i < kBatch; ++i) {
      items[i].size = 24 + random_size(&random, size_bits);
      items[i].block = malloc(items[i].size);
      EXPECT(items[i].block != NULL);
      memcpy(items[i].block, &items[i].size, sizeof(size_t));
      total += items[i].size;
    }
    put(items, kBatch);
  }
  return NULL;
}

static void* consume(void* unused) {
  (void)unused;
  Item items[kBatch];
  for (size_t count; (count = take(items)) > 0;) {
    for (size_t i = 0; i < count; ++i) {
      EXPECT(memcmp(items[i].block, &items[i].size, sizeof(size_t)) == 0);
      free(items[i].block);
    }
  }
  return NULL;
}

int main(int argc, char** argv) {
  enum { kMost = 32 };
  const size_t producers = option(argc, argv, "--producers", 1);
  const size_t consumers = option(argc, argv, "--consumers", 1);
  EXPECT(producers <= kMost && consumers <= kMost);
  size_bits = (unsigned)option(argc, argv, "--bits", 14);
  bytes_per_producer = option(argc, argv, "--megabytes", 4096) * MIB / producers;
  watchdog(150);
  pthread_t makers[kMost], takers[kMost];
  for (size_t i = 0; i < consumers; ++i) {
    EXPECT_NUMBERS(pthread_create(&takers[i], NULL, consume, NULL), ==, 0);
  }
  for (size_t i = 0; i < producers; ++i) {
    EXPECT_NUMBERS(pthread_create(&makers[i], NULL, produce, (void*)(uintptr_t)(i + 1)), ==, 0);
  }
  for (size_t i = 0; i < producers; ++i) pthread_join(makers[i], NULL);
  pthread_mutex_lock(&lock);
  closed = true;
  pthread_cond_broadcast(&not_empty);
  pthread_mutex_unlock(&lock);
  for (size_t i = 0; i < consumers; ++i) pthread_join(takers[i], NULL);
  // Alive at most: a full queue and a batch for each thread, a few MiB on average.
  EXPECT_NUMBERS(peak_rss_bytes(), <, 96 * MIB);
  return ok();
}
