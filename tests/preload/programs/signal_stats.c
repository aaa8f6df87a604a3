// Statistics asked for by a handler that interrupted malloc or free: a debugging aid of servers
// ("send it SIGUSR1"). They may not be there, but nobody waits for a lock that the interrupted
// allocation holds.
#include <malloc.h>
#include <sys/time.h>

#include "probe.h"

enum { kHandled = 300 };

static volatile sig_atomic_t handled;

static void on_timer(int number) {
  (void)number;
  malloc_stats();
  const struct mallinfo2 info = mallinfo2();
  EXPECT(info.uordblks <= info.arena);
  ++handled;
}

int main(void) {
  watchdog(60);
  const int terminal = dup(STDERR_FILENO);
  dup2(open("/dev/null", O_WRONLY), STDERR_FILENO);
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_timer;
  EXPECT_NUMBERS(sigaction(SIGPROF, &action, NULL), ==, 0);
  const struct itimerval often = {{0, 200}, {0, 200}}, never = {{0, 0}, {0, 0}};
  EXPECT_NUMBERS(setitimer(ITIMER_PROF, &often, NULL), ==, 0);
  // Of lengths that differ, so that each is searched for, under a lock.
  for (size_t i = 0; handled < kHandled; ++i) free(malloc((40 + i % 50) * KIB));
  EXPECT_NUMBERS(setitimer(ITIMER_PROF, &never, NULL), ==, 0);
  dup2(terminal, STDERR_FILENO);
  return ok();
}
