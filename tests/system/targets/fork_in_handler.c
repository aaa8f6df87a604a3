/* A signal handler forks while main() allocates, and its child goes on where the signal came: as
   programs do that keep snapshots of themselves. Prints how many children a signal killed. */
#include <linux/sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

/* So few children at once, that whoever watches them keeps up where others use the processors. */
enum { kBlocks = 64, kBlocksOfChild = 100, kTickUs = 1000, kMostAtOnce = 8 };

static volatile sig_atomic_t is_child;
static int running;
static pid_t (*make_copy)(void) = fork;

static pid_t fork_by_call(void) {
  return (pid_t)syscall(SYS_fork);
}
static pid_t clone_by_call(void) {
  return (pid_t)syscall(SYS_clone, SIGCHLD, 0L, 0L, 0L, 0L);
}
static pid_t clone3_by_call(void) {
  struct clone_args arguments = {.exit_signal = SIGCHLD};
  return (pid_t)syscall(SYS_clone3, &arguments, sizeof arguments);
}

static void on_tick(int number) {
  (void)number;
  if (is_child || __atomic_load_n(&running, __ATOMIC_RELAXED) == kMostAtOnce) return;
  __atomic_fetch_add(&running, 1, __ATOMIC_RELAXED);
  if (make_copy() == 0) is_child = 1;
}

__attribute__((noinline)) static void in_child(void) {
  for (int i = 0; i < kBlocksOfChild; ++i) free(malloc(777));
}

static int wait_for_children(int options, int* killed) {
  int ended = 0;
  int status = 0;
  for (; waitpid(-1, &status, options) > 0; ++ended) *killed += WIFSIGNALED(status) ? 1 : 0;
  __atomic_fetch_sub(&running, ended, __ATOMIC_RELAXED);
  return ended;
}

int main(int argc, char** argv) {
  const int children = argc > 1 ? atoi(argv[1]) : 300;
  if (argc > 2 && strcmp(argv[2], "_Fork") == 0) make_copy = _Fork;
  if (argc > 2 && strcmp(argv[2], "SYS_fork") == 0) make_copy = fork_by_call;
  if (argc > 2 && strcmp(argv[2], "SYS_clone") == 0) make_copy = clone_by_call;
  if (argc > 2 && strcmp(argv[2], "SYS_clone3") == 0) make_copy = clone3_by_call;
  struct sigaction action = {.sa_handler = on_tick, .sa_flags = SA_RESTART};
  sigaction(SIGALRM, &action, NULL);
  struct itimerval tick = {{0, kTickUs}, {0, kTickUs}};
  setitimer(ITIMER_REAL, &tick, NULL);
  void* blocks[kBlocks] = {0};
  int ended = 0;
  int killed = 0;
  for (unsigned i = 0; !is_child && ended < children; ++i) {
    free(blocks[i * 7 % kBlocks]);
    blocks[i * 7 % kBlocks] = malloc(16 + i % 500);
    if (i % 100 == 0) ended += wait_for_children(WNOHANG, &killed);
    // A recorder that does not get to run for seconds is not what this is about.
    if (__atomic_load_n(&running, __ATOMIC_RELAXED) == kMostAtOnce) {
      ended += wait_for_children(0, &killed);
    }
  }
  tick = (struct itimerval){{0, 0}, {0, 0}};
  setitimer(ITIMER_REAL, &tick, NULL);
  if (is_child) {
    in_child();
    _exit(0);
  }
  for (int i = 0; i < kBlocks; ++i) free(blocks[i]);
  wait_for_children(0, &killed);
  printf("killed: %d\n", killed);
  return 0;
}
