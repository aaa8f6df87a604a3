// fork, again and again, from one thread while others allocate as hard as they can. The child at
// once allocates, frees blocks that any of its parent's threads made, starts a thread, and forks
// itself.
//   fork_under_load [--forks N]
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

enum { kWorkers = 3, kSlots = 100, kChildSeconds = 60 };

// Whole blocks: what stands here is filled, and nobody else will free it.
static _Atomic(size_t*) slots[kWorkers][kSlots];
static atomic_bool stop;
static atomic_bool resting;  // while a child is at work, that it may have the processor

// A block that knows its size: by itself, so that one pointer is all there is to hand over.
static size_t* make(uint64_t* random) {
  const size_t size = sizeof(size_t) + random_size(random, random_below(random, 100) == 0 ? 17 : 9);
  size_t* block = malloc(size);
  EXPECT(block != NULL);
  *block = size;
  fill(block + 1, size - sizeof(size_t), size);
  return block;
}

static void end(size_t* block) {
  check_filled(block + 1, *block - sizeof(size_t), *block - sizeof(size_t), *block);
  free(block);
}

static void* load(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument;
  uint64_t random = me + 1;
  while (!atomic_load_explicit(&stop, memory_order_relaxed)) {
    if (atomic_load_explicit(&resting, memory_order_relaxed)) {
      sleep_ms(1);
      continue;
    }
    // Now and then another thread's: frees across threads are under way when the fork comes.
    const size_t owner = random_below(&random, 4) == 0 ? random_below(&random, kWorkers) : me;
    const size_t slot = random_below(&random, kSlots);
    size_t* taken = atomic_exchange(&slots[owner][slot], NULL);
    if (taken != NULL) end(taken);
    size_t* expected = NULL;
    size_t* fresh = make(&random);
    if (!atomic_compare_exchange_strong(&slots[owner][slot], &expected, fresh)) end(fresh);
  }
  return NULL;
}

static void* allocate_a_little(void* unused) {
  (void)unused;
  uint64_t random = 5;
  for (size_t i = 0; i < 50; ++i) end(make(&random));
  return NULL;
}

static void wait_for(pid_t child) {
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT_NUMBERS(status, ==, 0);
}

static void be_grandchild(void) {
  watchdog(kChildSeconds);
  allocate_a_little(NULL);
  for (size_t i = 0; i < kWorkers; ++i) {
    for (size_t j = 1; j < kSlots; j += 2) {
      if (slots[i][j] != NULL) end(slots[i][j]);
    }
  }
  _exit(0);
}

static void be_child(size_t number) {
  watchdog(kChildSeconds);
  uint64_t random = number;
  for (size_t i = 0; i < 100; ++i) end(make(&random));
  for (size_t i = 0; i < kWorkers; ++i) {
    for (size_t j = 0; j < kSlots; j += 2) {
      if (slots[i][j] != NULL) end(slots[i][j]);
    }
  }
  pthread_t thread;
  EXPECT_NUMBERS(pthread_create(&thread, NULL, allocate_a_little, NULL), ==, 0);
  const pid_t grandchild = fork();
  if (grandchild == 0) be_grandchild();
  pthread_join(thread, NULL);
  wait_for(grandchild);
  if (number % 2 == 0) _exit(0);
  exit(0);  // with all that runs at the end of a process
}

static void* fork_often(void* argument) {
  const size_t forks = *(const size_t*)argument;
  for (size_t i = 0; i < forks; ++i) {
    atomic_store(&resting, false);
    sleep_ms(1 + (long)(i % 3));
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) be_child(i);
    atomic_store(&resting, true);
    wait_for(child);
  }
  return NULL;
}

int main(int argc, char** argv) {
  size_t forks = option(argc, argv, "--forks", 300);
  watchdog(150);
  pthread_t workers[kWorkers], forker;
  for (size_t i = 0; i < kWorkers; ++i) {
    EXPECT_NUMBERS(pthread_create(&workers[i], NULL, load, (void*)(uintptr_t)i), ==, 0);
  }
  EXPECT_NUMBERS(pthread_create(&forker, NULL, fork_often, &forks), ==, 0);
  pthread_join(forker, NULL);
  atomic_store(&stop, true);
  for (size_t i = 0; i < kWorkers; ++i) pthread_join(workers[i], NULL);
  return ok();
}
