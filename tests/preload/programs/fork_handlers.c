// pthread_atfork handlers that allocate, before and after the fork, in parent and child, while
// other threads allocate.
//   fork_handlers [early]    early: registered before any library's constructor ran, the
//   allocator's
//                            among them, so that they run when the allocator is ready for the fork
#include <pthread.h>
#include <stdatomic.h>
#include <sys/wait.h>

#include "probe.h"

enum { kForks = 100, kBlocks = 40 };
static void* blocks[kBlocks];
static atomic_bool stop;
static atomic_bool resting;  // while a child is at work, that it may have the processor
static unsigned prepared, parents, children;

static void replace_blocks(size_t seed) {
  for (size_t i = 0; i < kBlocks; ++i) {
    free(blocks[i]);
    const size_t size = 1 + (i * i * seed) % 5000;
    blocks[i] = malloc(size);
    EXPECT(blocks[i] != NULL);
    fill(blocks[i], size, i);
    check_filled(blocks[i], size, size, i);
  }
}

static void before_fork(void) {
  replace_blocks(++prepared);
}
static void in_parent(void) {
  replace_blocks(++parents + 7);
}
static void in_child(void) {
  replace_blocks(++children + 13);
}

static void* load(void* argument) {
  uint64_t random = (uint64_t)(uintptr_t)argument;
  while (!atomic_load(&stop)) {
    if (atomic_load(&resting)) sleep_ms(1);
    void* some[20];
    for (size_t i = 0; i < 20; ++i) some[i] = malloc(random_size(&random, 11));
    for (size_t i = 0; i < 20; ++i) free(some[i]);
  }
  return NULL;
}

// The .preinit_array runs ahead of every constructor; there is no command line to look at yet.
static int fork_handlers_are_early(char** argv) {
  return argv[1] != NULL && strcmp(argv[1], "early") == 0;
}
static void register_early(int argc, char** argv, char** environment) {
  (void)argc;
  (void)environment;
  if (fork_handlers_are_early(argv)) pthread_atfork(before_fork, in_parent, in_child);
}
__attribute__((section(".preinit_array"),
               used)) static void (*const preinit)(int, char**, char**) = register_early;

int main(int argc, char** argv) {
  (void)argc;
  watchdog(60);
  if (!fork_handlers_are_early(argv)) {
    EXPECT_NUMBERS(pthread_atfork(before_fork, in_parent, in_child), ==, 0);
  }
  pthread_t threads[3];
  for (size_t i = 0; i < 3; ++i) {
    EXPECT_NUMBERS(pthread_create(&threads[i], NULL, load, (void*)(uintptr_t)i), ==, 0);
  }
  for (unsigned i = 0; i < kForks; ++i) {
    atomic_store(&resting, false);
    sleep_ms(2);
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
      watchdog(30);
      EXPECT_NUMBERS(children, ==, 1);
      replace_blocks(3);
      _exit(0);
    }
    atomic_store(&resting, true);
    int status = -1;
    EXPECT_NUMBERS(waitpid(child, &status, 0), ==, child);
    EXPECT_NUMBERS(status, ==, 0);
  }
  EXPECT_NUMBERS(prepared, ==, kForks);
  EXPECT_NUMBERS(parents, ==, kForks);
  atomic_store(&stop, true);
  for (size_t i = 0; i < 3; ++i) pthread_join(threads[i], NULL);
  return ok();
}
