/* Counts the signals that it gets, until SIGWINCH has it say how many and end. With a first
   argument it leaves its process group before. */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <unistd.h>

static const int counted[] = {SIGINT, SIGQUIT, SIGTERM, SIGHUP, SIGUSR1, SIGUSR2};
enum { kCounted = sizeof counted / sizeof counted[0] };
static volatile sig_atomic_t counts[NSIG];

static void on_signal(int number) {
  ++counts[number];
}

int main(int count, char** words) {
  (void)words;
  sigset_t all, none;
  sigfillset(&all);
  sigemptyset(&none);
  sigprocmask(SIG_SETMASK, &all, NULL);
  const struct sigaction action = {.sa_handler = on_signal, .sa_mask = all};
  for (int i = 0; i < kCounted; ++i) sigaction(counted[i], &action, NULL);
  sigaction(SIGWINCH, &action, NULL);
  if (count > 1) setpgid(0, 0);
  printf("pid: %d\n", getpid());
  fflush(stdout);
  while (counts[SIGWINCH] == 0) {
    sigsuspend(&none);
    for (int i = 0; i < kCounted; ++i) {
      static int said[NSIG];
      const int number = counted[i];
      if (counts[number] != said[number]) printf("got: %d\n", number);
      said[number] = counts[number];
    }
    fflush(stdout);
  }
  printf("counts:");
  for (int i = 0; i < kCounted; ++i) printf(" %d", counts[counted[i]]);
  printf("\n");
  return 0;
}
