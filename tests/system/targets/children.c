// Forks N children, up to 20 alive at once; each allocates, maps and exits with a status of its
// own, which the parent checks: a tracer that swallowed one would be noticed.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kAtOnce = 20, kStatuses = 100 };

static int child(int number) {
  char* block = malloc(200000);
  memset(block, number, 200000);
  char* mapping = mmap(NULL, 8192, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  memset(mapping, number, 8192);
  free(block);
  return number % kStatuses;
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 200;
  int sum_expected = 0;
  int sum_seen = 0;
  int alive = 0;
  for (int started = 0; started < count || alive > 0;) {
    if (started < count && alive < kAtOnce) {
      const pid_t pid = fork();
      if (pid < 0) return 1;
      if (pid == 0) _exit(child(started));
      sum_expected += started % kStatuses;
      ++started;
      ++alive;
      continue;
    }
    int status = 0;
    if (wait(&status) < 0 || !WIFEXITED(status)) return 2;
    sum_seen += WEXITSTATUS(status);
    --alive;
  }
  printf("children: %d, sum of statuses: %d of %d\n", count, sum_seen, sum_expected);
  return sum_seen == sum_expected ? 0 : 3;
}
