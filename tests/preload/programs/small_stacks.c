// Threads with the smallest stack that POSIX lets them have (PTHREAD_STACK_MIN) can allocate, grow
// and free blocks of all sizes, and end.
#include <limits.h>
#include <malloc.h>
#include <pthread.h>

#include "probe.h"

// No function of ours with large variables: the stack is for the allocator.
static void* work(void* argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  void* kept = NULL;
  for (unsigned i = 0; i < 300; ++i) {
    const size_t size = 1 + random_size(&random, i % 50 == 0 ? 22 : 14);
    void* block = i % 3 == 0 ? calloc(1, size) : i % 7 == 0 ? memalign(4096, size) : malloc(size);
    if (block == NULL) return argument;
    *(char*)block = 1;
    void* grown = realloc(block, size + size / 2);
    if (grown == NULL) return argument;
    free(kept);
    kept = grown;
  }
  free(kept);
  return NULL;
}

int main(void) {
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  EXPECT_NUMBERS(pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN), ==, 0);
  for (size_t i = 1; i <= 200; ++i) {
    pthread_t thread;
    void* result = &thread;
    EXPECT_NUMBERS(pthread_create(&thread, &attributes, work, (void*)(uintptr_t)i), ==, 0);
    pthread_join(thread, &result);
    EXPECT(result == NULL);
  }
  return ok();
}
