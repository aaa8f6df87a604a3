// A heap as a small program has it: a few blocks of each of many sizes, in a few threads, all of
// them touched; then two thirds freed. Prints the resident set at both times, to be compared
// between kinds of transparent huge pages.
//   sparse [--disable-thp]     by prctl, for this process alone
#include <pthread.h>
#include <sys/prctl.h>

#include "probe.h"

enum { kThreads = 4, kSizes = 220, kEach = 6 };
static void* blocks[kThreads][kSizes][kEach];
static pthread_barrier_t barrier;

// From 8 bytes to 1.5 MiB, by steps of some 6%.
static size_t size_of(size_t step) {
  size_t size = 8;
  for (size_t i = 0; i < step; ++i) size += 1 + size / 18;
  return size;
}

static void* work(void* argument) {
  const size_t me = (size_t)(uintptr_t)argument;
  for (size_t each = 0; each < kEach; ++each) {
    for (size_t step = 0; step < kSizes; ++step) {
      const size_t size = size_of(step);
      // Of the large ones, fewer.
      if (size > 64 * KIB && each > 0) continue;
      blocks[me][step][each] = malloc(size);
      EXPECT(blocks[me][step][each] != NULL);
      memset(blocks[me][step][each], (int)step, size);
    }
  }
  pthread_barrier_wait(&barrier);  // all is there
  pthread_barrier_wait(&barrier);  // it was measured
  for (size_t each = 0; each < kEach; ++each) {
    for (size_t step = 0; step < kSizes; ++step) {
      if ((step + each) % 3 != 0) free(blocks[me][step][each]);
    }
  }
  pthread_barrier_wait(&barrier);
  return NULL;
}

static void print_rss(const char* when) {
  char text[60];
  snprintf(text, sizeof text, "%s %zu\n", when, rss_bytes());
  say(STDOUT_FILENO, text);
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "--disable-thp") == 0) {
    EXPECT_NUMBERS(prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0), ==, 0);
  }
  pthread_barrier_init(&barrier, NULL, kThreads + 1);
  pthread_t threads[kThreads];
  for (size_t i = 0; i < kThreads; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, work, (void*)(uintptr_t)i), ==, 0);
  }
  pthread_barrier_wait(&barrier);
  print_rss("full");
  pthread_barrier_wait(&barrier);
  pthread_barrier_wait(&barrier);
  for (size_t i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  sleep_ms(1000);
  print_rss("thinned");
  return ok();
}
