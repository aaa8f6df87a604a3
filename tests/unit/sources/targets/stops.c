// Stops itself, and says so when it is continued. Argument: the signal's number.
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

int main(int argc, char** argv) {
  puts("before");
  fflush(stdout);
  raise(argc > 1 ? atoi(argv[1]) : SIGSTOP);
  puts("after");
  return 3;
}
