// What each stage of lab/stages is there to show, as a program sees it: "fact: number" lines.
//   lessons NAME    reuse, splitting, coalescing, threshold, growth, arenas, caches, no_memory
#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void tell(const char* fact, size_t number) {
  printf("%s: %zu\n", fact, number);
}

static char* allocate(size_t bytes) {
  char* block = malloc(bytes);
  if (block == NULL) abort();
  return memset(block, 1, bytes);
}

static void reuse(void) {
  char* first = allocate(1000);
  free(first);
  char* second = allocate(1000);
  tell("the freed block is used again", first == second);
}

static void splitting(void) {
  char* large = allocate(20000);
  allocate(1000);
  free(large);
  size_t inside = 0;
  for (size_t i = 0; i < 8; ++i) {
    char* block = allocate(1000);
    inside += block >= large && block < large + 20000;
  }
  tell("of eight short blocks, inside a long one that was freed", inside);
}

static int side_by_side(const char* block, const char* next) {
  return next > block && next - block < 1100;
}

static void coalescing(void) {
  static const int kOrders[6][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2},
                                    {1, 2, 0}, {2, 0, 1}, {2, 1, 0}};
  size_t joined = 0;
  for (size_t order = 0; order < 6; ++order) {
    // Filled up first, so that the three lie side by side and nothing free is before them.
    char* blocks[3];
    do {
      for (size_t i = 0; i < 3; ++i) blocks[i] = allocate(1000);
    } while (!side_by_side(blocks[0], blocks[1]) || !side_by_side(blocks[1], blocks[2]));
    allocate(1000);
    for (size_t i = 0; i < 3; ++i) free(blocks[kOrders[order][i]]);
    joined += allocate(3 * 1024 - 16) == blocks[0];
  }
  tell("orders in which A, B and C became one", joined);
}

static int is_outside_heap(size_t bytes) {
  const char* near_start = (const char*)sbrk(0) - ((size_t)1 << 26);
  char* block = malloc(bytes);
  const int outside = block < near_start || block >= (char*)sbrk(0);
  free(block);
  return outside;
}

// By bisection: the answer is in (inside, outside].
static void threshold(void) {
  size_t inside = 100 * 1024, outside = 200 * 1024;
  const int has_threshold = !is_outside_heap(inside) && is_outside_heap(outside);
  while (has_threshold && outside - inside > 1) {
    const size_t middle = (inside + outside) / 2;
    *(is_outside_heap(middle) ? &outside : &inside) = middle;
  }
  tell("shortest block outside the heap", has_threshold ? outside : 0);
}

static void growth(void) {
  size_t moved = 0;
  for (size_t i = 0; i < 100; ++i) {
    const char* before = sbrk(0);
    allocate(1000);
    moved += before != sbrk(0);
  }
  tell("of a hundred requests moved the break", moved);
}

// Two threads, in turn.
enum { kThreads = 2, kTurns = 50 };
static sem_t turns[kThreads];
static char* blocks_of[kThreads][kTurns];

static void* take_turns(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument;
  for (size_t i = 0; i < kTurns; ++i) {
    sem_wait(&turns[me]);
    blocks_of[me][i] = allocate(1000);
    sem_post(&turns[1 - me]);
  }
  return NULL;
}

static size_t owner_of(const char* block) {
  for (size_t i = 0; i < kTurns; ++i) {
    if (blocks_of[0][i] == block) return 0;
  }
  return 1;
}

static int by_address(const void* a, const void* b) {
  const char* const left = *(char* const*)a;
  const char* const right = *(char* const*)b;
  return (left > right) - (left < right);
}

static void run_beside(void* (*function)(void*), void* argument) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, function, argument) != 0) abort();
  if (function == take_turns) take_turns(NULL);
  pthread_join(thread, NULL);
}

static void arenas(void) {
  sem_init(&turns[0], 0, 1);
  sem_init(&turns[1], 0, 0);
  run_beside(take_turns, (void*)(uintptr_t)1);
  char* all[kThreads * kTurns];
  memcpy(all, blocks_of, sizeof all);
  qsort(all, kThreads * kTurns, sizeof all[0], by_address);
  size_t changes = 0;
  for (size_t i = 1; i < kThreads * kTurns; ++i) {
    changes += owner_of(all[i]) != owner_of(all[i - 1]);
  }
  tell("changes of the thread, in the order of addresses", changes);
}

static void* allocate_another(void* result) {
  *(char**)result = allocate(200);
  return NULL;
}

static void caches(void) {
  char* freed = allocate(200);
  char* other = NULL;
  // Before the thread begins, whose own needs might be met by the block.
  free(freed);
  char* same = allocate(200);
  free(same);
  run_beside(allocate_another, (void*)&other);
  tell("the block goes back to its thread", same == freed);
  tell("the block goes to another thread", other == freed);
}

// Under a limit, set by whoever runs it.
static void no_memory(void) {
  char* last = NULL;
  size_t count = 0;
  errno = 0;
  for (char* block = NULL; (block = malloc(5000)) != NULL; ++count) {
    memcpy(block, &last, sizeof last);
    last = block;
  }
  const int error = errno;
  errno = 0;
  const int large_error = malloc((size_t)1 << 30) == NULL ? errno : 0;
  void* aligned = NULL;
  const int aligned_error = posix_memalign(&aligned, 4096, 1 << 30);
  free(last);
  char* again = malloc(5000);
  tell("blocks of 5000 bytes", count);
  tell("each refused with ENOMEM",
       error == ENOMEM && large_error == ENOMEM && aligned_error == ENOMEM && aligned == NULL);
  tell("what is freed can be had again", again == last);
}

static const struct {
  const char* name;
  void (*run)(void);
} kLessons[] = {
    {"reuse", reuse},         {"splitting", splitting}, {"coalescing", coalescing},
    {"threshold", threshold}, {"growth", growth},       {"arenas", arenas},
    {"caches", caches},       {"no_memory", no_memory},
};

int main(int argc, char** argv) {
  static char buffer[4096];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);  // so that printf needs none of malloc's
  for (size_t i = 0; argc == 2 && i < sizeof kLessons / sizeof kLessons[0]; ++i) {
    if (strcmp(argv[1], kLessons[i].name) != 0) continue;
    kLessons[i].run();
    return 0;
  }
  fputs("usage: lessons NAME\n", stderr);
  return 2;
}
