// malloc may not be called from a handler that interrupted malloc; programs do it, and most get
// away with it. All that is asked here: such a program does not, as a rule, stand still for ever,
// as it would where an interrupted allocation holds a lock that the handler's waits for. Each child
// has one thread and small blocks, where glibc takes no lock. It may end well, stop with a message,
// or crash; a few may even go round in circles in what they corrupted, which glibc's do once in
// some fifty times.
#include <sys/time.h>
#include <sys/wait.h>

#include "probe.h"

enum { kChildren = 8, kMayHang = 3, kPatienceSeconds = 30 };

static void* kept[64];
static void on_timer(int number) {
  (void)number;
  static size_t at;
  at = (at + 1) % 64;
  free(kept[at]);
  kept[at] = malloc(16 + at * 8);
}

static void be_child(uint64_t seed) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_handler = on_timer;
  sigaction(SIGPROF, &action, NULL);
  const struct itimerval often = {{0, 200}, {0, 200}};
  setitimer(ITIMER_REAL, &(struct itimerval){{0, 0}, {0, 0}}, NULL);
  setitimer(ITIMER_PROF, &often, NULL);
  void* blocks[64] = {NULL};
  uint64_t random = seed;
  const double end = now_seconds() + 0.3;
  do {
    for (unsigned i = 0; i < 1000; ++i) {
      const size_t at = random_below(&random, 64);
      free(blocks[at]);
      blocks[at] = malloc(random_size(&random, 9));
    }
  } while (now_seconds() < end);
  _exit(0);
}

static bool ends(pid_t child) {
  for (double end = now_seconds() + (double)kPatienceSeconds; now_seconds() < end; sleep_ms(5)) {
    if (waitpid(child, NULL, WNOHANG) == child) return true;
  }
  kill(child, SIGKILL);
  waitpid(child, NULL, 0);
  return false;
}

int main(void) {
  // A child that crashes need not leave a core, nor its message with ours.
  unsigned hang = 0;
  for (uint64_t i = 0; i < kChildren; ++i) {
    const pid_t child = fork();
    EXPECT(child >= 0);
    if (child == 0) {
      const int nowhere = open("/dev/null", O_WRONLY);
      dup2(nowhere, STDERR_FILENO);
      be_child(i);
    }
    if (!ends(child)) ++hang;
    EXPECT_NUMBERS(hang, <=, kMayHang);
  }
  return ok();
}
