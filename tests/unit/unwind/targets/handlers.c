// Stops in a signal handler on an alternate stack that interrupted another handler, which
// interrupted main's chain.
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

#define KEEP __attribute__((noinline, used))

static volatile sig_atomic_t sink;

KEEP static void stops(void) {
  raise(SIGSTOP);
  sink = sink + 1;
}

KEEP static void on_alternate_stack(int signal) {
  stops();
  sink = signal;
}

KEEP static void on_main_stack(int signal) {
  raise(SIGUSR2);
  sink = signal;
}

KEEP static void is_interrupted(void) {
  raise(SIGUSR1);
  sink = sink + 1;
}

int main(void) {
  const size_t size = 65536;
  const stack_t stack = {.ss_sp = malloc(size), .ss_size = size};
  sigaltstack(&stack, NULL);
  struct sigaction action = {.sa_handler = on_main_stack};
  sigaction(SIGUSR1, &action, NULL);
  action.sa_handler = on_alternate_stack;
  action.sa_flags = SA_ONSTACK;
  sigaction(SIGUSR2, &action, NULL);
  printf("stops\non_alternate_stack\non_main_stack\nis_interrupted\nmain\nend\n");
  fflush(stdout);
  is_interrupted();
  return 0;
}
