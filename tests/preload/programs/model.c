// A program of random calls beside a model of what each must do: no two live blocks overlap, each
// is aligned and usable as asked, keeps its contents until its end, is zero where that was
// promised.
//   model [--seed N] [--threads N] [--seconds N] [--bits N] [--usable N]
// With --usable 0 nothing is expected of malloc_usable_size: only what was asked for is used.
// Threads hand blocks over to each other, end after a while, and leave their blocks to new threads.
#include <malloc.h>
#include <pthread.h>
#include <stdatomic.h>

#include "probe.h"

typedef struct {
  unsigned char* start;  // NULL: no block
  size_t size;           // bytes that are filled
  uint64_t seed;         // what they are filled with
} Block;

enum { kSlots = 1500, kMailboxes = 64, kMaxThreads = 512, kLifeInSteps = 20000 };

typedef struct {
  uint64_t random;
  size_t steps;
  Block slots[kSlots];
} Worker;

static Worker workers[kMaxThreads];
static unsigned long seed_of_run;
static unsigned size_bits;
static unsigned long usable_is_known;
static double end_time;

// Where blocks change hands.
static Block mailboxes[kMailboxes];
static pthread_mutex_t mailbox_locks[kMailboxes];

#define CHECK(worker, condition)                                                              \
  EXPECT_SAYING(condition, "seed %lu, thread %td, step %zu", seed_of_run, (worker) - workers, \
                (worker)->steps)

// Only this thread's blocks are compared; overlaps with others' show in the contents.
static void check_overlap(const Worker* worker, const unsigned char* start, size_t size) {
  for (size_t i = 0; i < kSlots; ++i) {
    const Block* other = &worker->slots[i];
    CHECK(worker, other->start == NULL || start + size <= other->start ||
                      other->start + other->size <= start);
  }
}

// Takes a fresh block into the model: fills all that is usable.
static Block adopt(Worker* worker, void* start, size_t size, size_t alignment) {
  CHECK(worker, start != NULL);
  CHECK(worker, is_aligned(start, alignment));
  const size_t usable = usable_is_known != 0 ? malloc_usable_size(start) : size;
  CHECK(worker, usable >= size);
  const Block block = {start, usable, next_random(&worker->random)};
  check_overlap(worker, start, usable);
  fill(start, usable, block.seed);
  return block;
}

static size_t natural_alignment(size_t size) {
  return size >= 16 ? 16 : size >= 8 ? 8 : 1;
}

static Block allocate(Worker* worker) {
  uint64_t* random = &worker->random;
  const size_t size = random_size(random, random_below(random, 64) == 0 ? size_bits : 12);
  const size_t alignment = (size_t)8 << random_below(random, 11);
  void* start = NULL;
  switch (random_below(random, 12)) {
    case 0:
    case 1:
      start = calloc(1 + size / 24, 24);
      check_zero(start, (1 + size / 24) * 24);
      return adopt(worker, start, (1 + size / 24) * 24, 16);
    case 2:
      return adopt(worker, memalign(alignment, size + 1), size + 1, alignment);
    case 3:
      CHECK(worker, posix_memalign(&start, alignment, size + 1) == 0);
      return adopt(worker, start, size + 1, alignment);
    case 4:
      return adopt(worker, realloc(NULL, size), size, natural_alignment(size));
    default:
      return adopt(worker, malloc(size), size, natural_alignment(size));
  }
}

static void release(Block* block) {
  check_filled(block->start, block->size, block->size, block->seed);
  free(block->start);
  block->start = NULL;
}

static void resize(Worker* worker, Block* block) {
  uint64_t* random = &worker->random;
  const size_t size = 1 + (random_below(random, 4) == 0 ? block->size + random_size(random, 8)
                                                        : random_size(random, 12));
  check_filled(block->start, block->size, block->size, block->seed);
  unsigned char* start = realloc(block->start, size);
  CHECK(worker, start != NULL);
  check_filled(start, block->size, size < block->size ? size : block->size, block->seed);
  block->start = NULL;
  *block = adopt(worker, start, size, natural_alignment(size));
}

// Puts a block into a mailbox and takes what was there, if anything.
static void exchange(Worker* worker, Block* block) {
  const size_t box = random_below(&worker->random, kMailboxes);
  pthread_mutex_lock(&mailbox_locks[box]);
  const Block received = mailboxes[box];
  mailboxes[box] = *block;
  pthread_mutex_unlock(&mailbox_locks[box]);
  if (received.start != NULL) {
    check_filled(received.start, received.size, received.size, received.seed);
    check_overlap(worker, received.start, received.size);
  }
  *block = received;
}

static void step(Worker* worker) {
  Block* block = &worker->slots[random_below(&worker->random, kSlots)];
  ++worker->steps;
  if (block->start == NULL) {
    *block = allocate(worker);
    return;
  }
  switch (random_below(&worker->random, 8)) {
    case 0:
      resize(worker, block);
      break;
    case 1:
    case 2:
      exchange(worker, block);
      break;
    case 3:
      release(block);
      *block = allocate(worker);
      break;
    default:
      release(block);
  }
}

// Every so often a thread lets most of its blocks go, or keeps few: heaps breathe.
static void shrink(Worker* worker) {
  const size_t start = random_below(&worker->random, kSlots);
  for (size_t i = start; i < kSlots; ++i) {
    if (worker->slots[i].start != NULL) release(&worker->slots[i]);
  }
}

static void* live(void* argument) {
  Worker* worker = argument;
  for (size_t i = 0; i < kLifeInSteps; ++i) {
    step(worker);
    if (i % 4096 == 4095) {
      if (now_seconds() >= end_time) break;
      if (random_below(&worker->random, 3) == 0) shrink(worker);
    }
  }
  return NULL;
}

static void run(size_t threads) {
  static pthread_t ids[kMaxThreads];
  do {
    for (size_t i = 1; i < threads; ++i) {
      EXPECT_NUMBERS(pthread_create(&ids[i], NULL, live, &workers[i]), ==, 0);
    }
    live(&workers[0]);
    for (size_t i = 1; i < threads; ++i) pthread_join(ids[i], NULL);
  } while (now_seconds() < end_time);
}

int main(int argc, char** argv) {
  const size_t threads = option(argc, argv, "--threads", 1);
  EXPECT_NUMBERS(threads, <=, kMaxThreads);
  seed_of_run = option(argc, argv, "--seed", 1);
  size_bits = (unsigned)option(argc, argv, "--bits", 20);
  usable_is_known = option(argc, argv, "--usable", 1);
  end_time = now_seconds() + (double)option(argc, argv, "--seconds", 2);
  for (size_t i = 0; i < kMailboxes; ++i) pthread_mutex_init(&mailbox_locks[i], NULL);
  for (size_t i = 0; i < threads; ++i) workers[i].random = seed_of_run * 1000 + i;
  run(threads);
  for (size_t i = 0; i < threads; ++i) {
    for (size_t j = 0; j < kSlots; ++j) {
      if (workers[i].slots[j].start != NULL) release(&workers[i].slots[j]);
    }
  }
  for (size_t i = 0; i < kMailboxes; ++i) {
    if (mailboxes[i].start != NULL) release(&mailboxes[i]);
  }
  return ok();
}
