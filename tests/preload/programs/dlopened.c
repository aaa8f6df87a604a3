// The allocator's library opened by dlopen, beside the program's own malloc: both heaps live side
// by side, in threads that come and go, and over a fork.
//   dlopened LIBRARY
#include <dlfcn.h>
#include <pthread.h>
#include <sys/wait.h>

#include "probe.h"

static void* (*other_malloc)(size_t);
static void* (*other_realloc)(void*, size_t);
static void* (*other_calloc)(size_t, size_t);
static void (*other_free)(void*);

static void* find(void* library, const char* name) {
  void* function = dlsym(library, name);
  EXPECT_SAYING(function != NULL, "%s", name);
  return function;
}

static void* work(void* unused) {
  (void)unused;
  enum { kBlocks = 300 };
  void* own[kBlocks];
  void* others[kBlocks];
  uint64_t random = 3;
  for (unsigned round = 0; round < 5; ++round) {
    for (size_t i = 0; i < kBlocks; ++i) {
      const size_t size = 1 + random_size(&random, i % 100 == 0 ? 20 : 12);
      own[i] = malloc(size);
      others[i] = i % 3 == 0 ? other_calloc(1, size) : other_malloc(size);
      EXPECT(own[i] != NULL && others[i] != NULL);
      fill(own[i], size, i);
      fill(others[i], size, i + 1);
      if (i % 5 == 0) {
        others[i] = other_realloc(others[i], size * 2);
        EXPECT(others[i] != NULL);
      }
      check_filled(own[i], size, size, i);
      check_filled(others[i], size, size, i + 1);
    }
    for (size_t i = 0; i < kBlocks; ++i) {
      free(own[i]);
      other_free(others[i]);
    }
  }
  return NULL;
}

static void run_threads(size_t count) {
  for (size_t i = 0; i < count; ++i) {
    pthread_t one, two;
    EXPECT_NUMBERS(pthread_create(&one, NULL, work, NULL), ==, 0);
    EXPECT_NUMBERS(pthread_create(&two, NULL, work, NULL), ==, 0);
    pthread_join(one, NULL);
    pthread_join(two, NULL);
  }
}

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  watchdog(60);
  void* library = dlopen(argv[1], RTLD_NOW | RTLD_LOCAL);
  EXPECT_SAYING(library != NULL, "%s", dlerror());
  *(void**)&other_malloc = find(library, "malloc");
  *(void**)&other_realloc = find(library, "realloc");
  *(void**)&other_calloc = find(library, "calloc");
  *(void**)&other_free = find(library, "free");
  work(NULL);
  run_threads(20);
  const pid_t child = fork();
  if (child == 0) {
    work(NULL);
    run_threads(2);
    exit(0);
  }
  int status = -1;
  EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
  EXPECT_NUMBERS(status, ==, 0);
  // Whether it can be unloaded is its own affair: malloc must go on working all the same.
  dlclose(library);
  free(malloc(1000));
  return ok();
}
