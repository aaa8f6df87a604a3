/* Says how many instructions a pair of malloc and free takes, as the processor counts them one by
   one, once it has been told to by a line on its input and has done so many that any ring is full
   of them. x86-64 only. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "trap_flag.h"

enum { kPairs = 1000000, kMeasures = 100 };

static volatile sig_atomic_t steps;

static void on_step(int signal) {
  (void)signal;
  ++steps;
}

static int steps_of_pair(void) {
  steps = 0;
  begin_steps();
  void* volatile block = malloc(64);
  free(block);
  end_steps();
  return steps;
}

int main(void) {
  signal(SIGTRAP, on_step);
  puts("started");
  fflush(stdout);
  getchar();
  for (int i = 0; i < kPairs; ++i) {
    void* volatile block = malloc(64);
    free(block);
  }
  int least = steps_of_pair();
  for (int i = 0; i < kMeasures; ++i) {
    const int taken = steps_of_pair();
    if (taken < least) least = taken;
  }
  printf("steps: %d\n", least);
  return 0;
}
