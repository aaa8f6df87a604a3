// Works while system calls fail (see inject.c, which it tells when to begin), in one thread or
// several.
//   survive [early] [--steps N] [--threads N]
// early: from before any constructor, so that the allocator cannot even set itself up. Prints how
// many requests were refused.
#include <pthread.h>

#include "inject.h"
#include "workload.h"

enum { kMaxThreads = 8 };
static Workload loads[kMaxThreads];
static size_t steps;

static void* work(void* load) {
  workload_run(load, steps);
  return NULL;
}

static bool begins_early(char** argv) {
  return argv[1] != NULL && strcmp(argv[1], "early") == 0;
}
static void begin_early(int argc, char** argv, char** environment) {
  (void)argc;
  (void)environment;
  if (begins_early(argv)) inject_begin();
}
__attribute__((section(".preinit_array"), used)) static void (*const preinit)(int, char**,
                                                                              char**) = begin_early;

int main(int argc, char** argv) {
  steps = option(argc, argv, "--steps", 6000);
  const size_t threads = option(argc, argv, "--threads", 1);
  EXPECT_NUMBERS(threads, <=, kMaxThreads);
  watchdog(60);
  for (size_t i = 0; i < threads; ++i) loads[i].random = 77 + i;
  // Half of the work before, so that there is something to lose.
  for (size_t i = 0; i < threads; ++i) workload_run(&loads[i], 500);
  if (!begins_early(argv)) inject_begin();
  pthread_t ids[kMaxThreads];
  bool started[kMaxThreads] = {false};
  for (size_t i = 1; i < threads; ++i) {
    started[i] = pthread_create(&ids[i], NULL, work, &loads[i]) == 0;
  }
  work(&loads[0]);
  size_t refusals = 0;
  for (size_t i = 0; i < threads; ++i) {
    if (started[i]) pthread_join(ids[i], NULL);
    workload_end(&loads[i]);
    refusals += loads[i].refused;
  }
  malloc_trim(0);
  char text[40];
  snprintf(text, sizeof text, "refused %zu\n", refusals);
  say(STDOUT_FILENO, text);
  return ok();
}
