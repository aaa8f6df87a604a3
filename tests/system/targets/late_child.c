/* Forks, and ends before its child has allocated anything: as a daemon's parent may. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

__attribute__((noinline)) static void* in_late_child(size_t size) {
  return malloc(size);
}

int main(void) {
  free(malloc(100));
  if (fork() != 0) return 0;
  const struct timespec nap = {0, 50000000};
  nanosleep(&nap, NULL);
  for (int i = 0; i < 10; ++i) free(in_late_child(50));
  return 0;
}
