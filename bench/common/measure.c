// measure FILE [NAME=VALUE]… CMD ARG…: runs CMD, with those variables added to its environment, and
// writes its wall time, CPU time, peak RSS and minor page faults to FILE as JSON. Time and faults
// are those of CMD and of all children that it waited for; the peak is the largest of any one of
// them.
//
// Not done in the script that asks for it, because a process begins its life with the peak RSS of
// the one that forked it: this one is small, and linked statically to be smaller than any workload.
// That is also why the variables are added here: a preloaded allocator is the workload's alone. And
// it uses vfork, because a forked child would have page faults of its own before it is the
// workload.
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static double seconds(struct timeval t) {
  return (double)t.tv_sec + (double)t.tv_usec / 1e6;
}

static pid_t start(char** command) {
  const pid_t pid = vfork();
  if (pid == 0) {
    execvp(*command, command);
    _exit(127);
  }
  return pid;
}

int main(int argc, char** argv) {
  if (argc < 3) return 2;
  char** command = argv + 2;
  while (*command != NULL && strchr(*command, '=') != NULL) putenv(*command++);
  if (*command == NULL) return 2;

  struct timespec begin;
  struct timespec end;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  const pid_t pid = start(command);
  if (pid < 0) return 1;
  int status = 0;
  struct rusage usage = {0};
  while (wait4(pid, &status, 0, &usage) < 0) {
    if (errno != EINTR) return 1;
  }
  clock_gettime(CLOCK_MONOTONIC, &end);

  FILE* out = fopen(argv[1], "w");
  if (out == NULL) return 1;
  fprintf(out,
          "{\"wall_s\": %.6f, \"cpu_s\": %.6f, \"peak_rss_kib\": %ld, \"minor_faults\": %ld, "
          "\"status\": %d}\n",
          (double)(end.tv_sec - begin.tv_sec) + (double)(end.tv_nsec - begin.tv_nsec) / 1e9,
          seconds(usage.ru_utime) + seconds(usage.ru_stime), usage.ru_maxrss, usage.ru_minflt,
          WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status));
  return fclose(out) == 0 ? 0 : 1;
}
