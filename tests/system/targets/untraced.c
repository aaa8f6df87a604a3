// Processes that are made so that no tracer follows them: one with its parent's memory, one with
// its own. What they ask of the kernel has to be done for them as for any other.
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kStackBytes = 64 << 10 };

static int map_and_unmap(void* unused) {
  (void)unused;
  char* const page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (page == MAP_FAILED) return 1;
  page[0] = 1;
  return munmap(page, 4096) == 0 ? 0 : 2;
}

static int run(int flags) {
  static char stack[kStackBytes] __attribute__((aligned(16)));
  const pid_t pid = clone(map_and_unmap, stack + kStackBytes, flags | SIGCHLD, NULL);
  int status = -1;
  return pid > 0 && waitpid(pid, &status, 0) == pid ? status : -1;
}

int main(void) {
  printf("shared: %d\n", run(CLONE_UNTRACED | CLONE_VM | CLONE_FS | CLONE_FILES));
  printf("own: %d\n", run(CLONE_UNTRACED));
  return 0;
}
