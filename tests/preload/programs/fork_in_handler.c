// fork is async-signal-safe: a handler may call it, whatever it interrupted, malloc too.
//   fork_in_handler ends       the child ends at once
//   fork_in_handler returns    it goes on with the call that the handler interrupted
//   fork_in_handler threads    as "ends", while other threads allocate
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "probe.h"

enum { kForks = 200, kBlocks = 64, kRoundsOfChild = 500 };

static bool child_returns;
static volatile sig_atomic_t forks;
static volatile sig_atomic_t is_child;
static atomic_bool stop;

static void on_timer(int number) {
  (void)number;
  const int saved = errno;
  const pid_t child = fork();
  EXPECT(child >= 0);
  if (child == 0) {
    if (!child_returns) _exit(0);
    watchdog(30);
    is_child = 1;
  } else {
    int status = -1;
    EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
    EXPECT_NUMBERS(status, ==, 0);
    ++forks;
  }
  errno = saved;
}

struct blocks {
  void* begin[kBlocks];
  size_t size[kBlocks];
  uint64_t random;
};

// Small ones, and large ones of sizes that differ, so that each is searched for, under a lock.
static void replace_one(struct blocks* blocks) {
  const size_t at = random_below(&blocks->random, kBlocks);
  if (blocks->begin[at] != NULL) {
    check_filled(blocks->begin[at], blocks->size[at], blocks->size[at], at);
  }
  free(blocks->begin[at]);
  blocks->size[at] = at % 2 == 0 ? 1 + random_size(&blocks->random, 12)
                                 : (40 + random_below(&blocks->random, 50)) * KIB;
  blocks->begin[at] = malloc(blocks->size[at]);
  EXPECT(blocks->begin[at] != NULL);
  fill(blocks->begin[at], blocks->size[at], at);
}

static void* load(void* argument) {
  struct blocks blocks = {.random = (uint64_t)(uintptr_t)argument};
  while (!atomic_load(&stop)) replace_one(&blocks);
  return NULL;
}

int main(int argc, char** argv) {
  watchdog(60);
  const char* how = argc > 1 ? argv[1] : "ends";
  child_returns = strcmp(how, "returns") == 0;
  const size_t thread_count = strcmp(how, "threads") == 0 ? 2 : 0;
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_timer;
  action.sa_flags = SA_RESTART;
  EXPECT_NUMBERS(sigaction(SIGPROF, &action, NULL), ==, 0);
  sigset_t timer;
  sigemptyset(&timer);
  sigaddset(&timer, SIGPROF);
  pthread_sigmask(SIG_BLOCK, &timer, NULL);  // the other threads inherit it
  pthread_t threads[2];
  for (size_t i = 0; i < thread_count; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, load, (void*)(uintptr_t)i), ==, 0);
  }
  pthread_sigmask(SIG_UNBLOCK, &timer, NULL);
  const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  EXPECT_NUMBERS(setitimer(ITIMER_PROF, &often, NULL), ==, 0);
  struct blocks blocks = {.random = 9};
  while (forks < kForks && !is_child) replace_one(&blocks);
  if (is_child) {
    for (unsigned i = 0; i < kRoundsOfChild; ++i) replace_one(&blocks);
    _exit(0);
  }
  EXPECT_NUMBERS(setitimer(ITIMER_PROF, &never, NULL), ==, 0);
  atomic_store(&stop, true);
  for (size_t i = 0; i < thread_count; ++i) pthread_join(threads[i], NULL);
  return ok();
}
