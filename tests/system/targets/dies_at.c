/* Preloaded into heapspy: has it killed by SIGKILL just before its N-th request to ptrace or write
   into another process, N from DIES_AT. What heapspy had done up to there is all that the target
   gets. */
#include <dlfcn.h>
#include <signal.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/ptrace.h>
#include <sys/types.h>
#include <unistd.h>

static void step(void) {
  static long steps;
  static long last = -1;
  if (last < 0) {
    const char* const text = getenv("DIES_AT");
    last = text != NULL ? atol(text) : 0;
  }
  if (++steps == last) kill(getpid(), SIGKILL);
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
