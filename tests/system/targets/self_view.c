// Prints what a program can see of its own circumstances, to compare traced with untraced:
// arguments, environment, descriptors, signal mask and dispositions, limits, ids, session and
// terminal, personality. Left out is what tracing cannot hide: TracerPid, Seccomp and, for the
// unprivileged, NoNewPrivs.
#include <dirent.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

extern char** environ;

static void print_descriptors(void) {
  for (int fd = 0; fd < 256; ++fd) {
    const int flags = fcntl(fd, F_GETFD);
    if (flags < 0) continue;
    struct stat status = {0};
    fstat(fd, &status);
    printf("fd %d: flags %d, status flags %d, type %o\n", fd, flags, fcntl(fd, F_GETFL),
           status.st_mode & S_IFMT);
  }
}

static void print_signals(void) {
  sigset_t mask;
  sigprocmask(SIG_SETMASK, NULL, &mask);
  for (int number = 1; number < NSIG; ++number) {
    struct sigaction action;
    if (sigaction(number, NULL, &action) != 0) continue;
    const int blocked = sigismember(&mask, number);
    if (blocked || action.sa_handler != SIG_DFL) {
      printf("signal %d: blocked %d, ignored %d\n", number, blocked, action.sa_handler == SIG_IGN);
    }
  }
}

static void print_limits(void) {
  for (int resource = 0; resource < RLIM_NLIMITS; ++resource) {
    struct rlimit limit;
    if (getrlimit((__rlimit_resource_t)resource, &limit) == 0) {
      printf("limit %d: %lx %lx\n", resource, limit.rlim_cur, limit.rlim_max);
    }
  }
}

int main(int argc, char** argv) {
  for (int i = 0; i < argc; ++i) printf("argument %d: %s\n", i, argv[i]);
  for (char** entry = environ; *entry != NULL; ++entry) printf("environment: %s\n", *entry);
  print_descriptors();
  print_signals();
  print_limits();
  printf("ids: %u %u %u %u\n", getuid(), geteuid(), getgid(), getegid());
  printf("umask: %o\n", umask(0));
  printf("nice: %d, scheduler: %d\n", getpriority(PRIO_PROCESS, 0), sched_getscheduler(0));
  cpu_set_t cpus;
  sched_getaffinity(0, sizeof cpus, &cpus);
  printf("cpus: %d\n", CPU_COUNT(&cpus));
  printf("personality: %x\n", (unsigned)personality(0xffffffff));
  char directory[4096];
  printf("directory: %s\n", getcwd(directory, sizeof directory));
  return 0;
}
