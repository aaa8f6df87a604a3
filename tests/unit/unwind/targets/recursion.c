// Recurses argv[1] times, then stops itself.
#include <signal.h>
#include <stdlib.h>

__attribute__((noinline)) int recurse(int depth);

static volatile int sink;

int recurse(int depth) {
  if (depth == 0) return raise(SIGSTOP);
  const int below = recurse(depth - 1);
  return below + sink;
}

int main(int argc, char** argv) {
  return recurse(argc > 1 ? atoi(argv[1]) : 0);
}
