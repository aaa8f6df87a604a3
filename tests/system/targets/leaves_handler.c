/* A signal comes into the middle of mmap, after every eleventh of its instructions in turn:
     leaves_handler leaves     its handler leaves it for good, by siglongjmp
     leaves_handler returns    its handler has memory itself, on a stack that main() has put on its
   own Prints what after() has got since. x86-64 only. */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "trap_flag.h"

enum { kMostSteps = 20000, kStride = 11, kPage = 4096, kBytes = 77 };

static sigjmp_buf out;
static volatile int steps;
static volatile int last_step;
static volatile int leaves;

static void on_step(int number) {
  (void)number;
  if (++steps != last_step) return;
  if (leaves) siglongjmp(out, 1);
  void* volatile block = malloc(kBytes);
  free(block);
}

/* Whether there were as many steps. */
__attribute__((noinline)) static int map_a_page(int last) {
  steps = 0;
  last_step = last;
  if (sigsetjmp(out, 1) != 0) return 1;
  begin_steps();
  void* const page = mmap(NULL, kPage, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  end_steps();
  munmap(page, kPage);
  return steps >= last;
}

/* Its stack goes on further than after()'s. */
__attribute__((noinline)) static int map_further_in(int last) {
  char room[1024] = {0};
  return map_a_page(last + room[0]);
}

__attribute__((noinline)) static void after(void) {
  void* volatile block = malloc(kBytes);
  free(block);
}

int main(int argc, char** argv) {
  static char space_below_main[1 << 16];
  char own[1 << 16];
  leaves = argc > 1 && strcmp(argv[1], "leaves") == 0;
  const stack_t stack = {.ss_sp = leaves ? space_below_main : own, .ss_size = sizeof own};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = on_step, .sa_flags = SA_ONSTACK};
  sigaction(SIGTRAP, &action, NULL);
  map_further_in(0);
  int rounds = 0;
  for (; rounds * kStride < kMostSteps && map_further_in(rounds * kStride + 1); ++rounds) after();
  printf("after: %d %d\n", rounds, rounds * kBytes);
  return 0;
}
