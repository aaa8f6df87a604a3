/* Preloaded into heapspy: has something happen just before its N-th request to ptrace or write into
   another process.

     DIES_AT=N     heapspy is killed by SIGKILL. What it had done up to there is all that the target
                   gets.
     SIGNALS_AT=N  the process SIGNALED gets a SIGUSR1; "signals" on standard error says so. */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <unistd.h>

static long number_in(const char* name) {
  const char* const text = getenv(name);
  return text != NULL ? atol(text) : 0;
}

static void step(void) {
  static long steps;
  static long dies_at = -1, signals_at, signaled;
  if (dies_at < 0) {
    dies_at = number_in("DIES_AT");
    signals_at = number_in("SIGNALS_AT");
    signaled = number_in("SIGNALED");
  }
  ++steps;
  if (steps == dies_at) kill(getpid(), SIGKILL);
  static const char said[] = "signals\n";
  if (steps == signals_at && write(STDERR_FILENO, said, sizeof said - 1) > 0) {
    kill((pid_t)signaled, SIGUSR1);
  }
}

long ptrace(enum __ptrace_request request, ...) {
  long (*const real)(int, pid_t, void*, void*) =
      (long (*)(int, pid_t, void*, void*))(unsigned long)dlsym(RTLD_NEXT, "ptrace");
  va_list rest;
  va_start(rest, request);
  const pid_t pid = va_arg(rest, pid_t);
  void* const address = va_arg(rest, void*);
  void* const data = va_arg(rest, void*);
  va_end(rest);
  step();
  return real((int)request, pid, address, data);
}

ssize_t pwrite(int fd, const void* data, size_t bytes, off_t offset) {
  ssize_t (*const real)(int, const void*, size_t, off_t) =
      (ssize_t(*)(int, const void*, size_t, off_t))(unsigned long)dlsym(RTLD_NEXT, "pwrite");
  step();
  return real(fd, data, bytes, offset);
}
