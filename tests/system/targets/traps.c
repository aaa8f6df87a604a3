// Uses the signals a tracer works with: its own SIGTRAP by int3, by raise and by kill, SIGSTOP and
// SIGCONT of a child, and SIGCHLD. Prints what arrived.
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

static volatile sig_atomic_t traps;
static volatile sig_atomic_t trap_codes[3];
static volatile sig_atomic_t child_signals;

static void on_trap(int number, siginfo_t* info, void* context) {
  (void)number;
  (void)context;
  if (traps < 3) trap_codes[traps] = info->si_code;
  ++traps;
}

static void on_child(int number) {
  (void)number;
  ++child_signals;
}

// Signals interrupt the wait; there is always a child to wait for.
static int wait_for(pid_t pid, int options) {
  int status = 0;
  while (waitpid(pid, &status, options) < 0) {
    if (errno != EINTR) _exit(100);
  }
  return status;
}

int main(void) {
  struct sigaction trap = {.sa_sigaction = on_trap, .sa_flags = SA_SIGINFO};
  sigaction(SIGTRAP, &trap, NULL);
  struct sigaction child_action = {.sa_handler = on_child};
  sigaction(SIGCHLD, &child_action, NULL);

#if defined(__x86_64__)
  __asm__ volatile("int3");
#else
  __builtin_trap();
#endif
  raise(SIGTRAP);
  kill(getpid(), SIGTRAP);
  printf("traps: %d, codes: %d %d %d\n", traps, trap_codes[0], trap_codes[1], trap_codes[2]);
  fflush(stdout);

  int go[2];
  if (pipe(go) != 0) return 101;
  const pid_t pid = fork();
  if (pid == 0) {
    close(go[1]);
    raise(SIGSTOP);
    char end = 0;
    _exit(read(go[0], &end, 1) == 0 ? 7 : 102);
  }
  close(go[0]);
  int status = wait_for(pid, WUNTRACED);
  printf("stopped: %d by %d\n", WIFSTOPPED(status), WIFSTOPPED(status) ? WSTOPSIG(status) : 0);
  kill(pid, SIGCONT);
  status = wait_for(pid, WCONTINUED);
  printf("continued: %d\n", WIFCONTINUED(status));
  close(go[1]);  // not before: an end would hide that it was continued
  status = wait_for(pid, 0);
  printf("exited: %d with %d\n", WIFEXITED(status), WIFEXITED(status) ? WEXITSTATUS(status) : 0);
  printf("SIGCHLD seen: %d\n", child_signals > 0);
  return traps;
}
