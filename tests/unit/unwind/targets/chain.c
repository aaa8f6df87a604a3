// Stops itself at the end of a chain of calls, having printed the chain: a line a function,
// innermost first, with its address.
#include <signal.h>
#include <stdio.h>

#define KEEP __attribute__((noinline, used))

KEEP int gamma_stops(int depth);
KEEP int beta_has_array(int depth);
KEEP int alpha_calls(int depth);
int main(void);

static volatile int sink;

KEEP int gamma_stops(int depth) {
  raise(SIGSTOP);
  return depth + sink;
}

KEEP int beta_has_array(int depth) {
  volatile char array[100000];  // more than one read of the stack
  array[depth] = 1;
  return gamma_stops(depth + 1) + array[depth];
}

KEEP int alpha_calls(int depth) {
  return beta_has_array(depth + 1) + sink;
}

int main(void) {
  printf("gamma_stops %lx\nbeta_has_array %lx\nalpha_calls %lx\nmain %lx\nend\n",
         (unsigned long)gamma_stops, (unsigned long)beta_has_array, (unsigned long)alpha_calls,
         (unsigned long)main);
  fflush(stdout);
  return alpha_calls(sink) > 1000000;
}
