// A vfork child that execs, a child by clone that runs in its parent's memory, and one that copies.
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char stack[64 * 1024];

static int map_a_page(void* where) {
  *(void**)where = mmap(0, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return 4;
}

static int status_of(pid_t pid) {
  int status = 0;
  return waitpid(pid, &status, 0) == pid && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

int main(void) {
  pid_t pid = vfork();
  if (pid == 0) {
    execl("/bin/sh", "sh", "-c", "exit 3", (char*)0);
    _exit(1);
  }
  if (status_of(pid) != 3) return 1;
  void* page = 0;
  pid = clone(map_a_page, stack + sizeof stack, CLONE_VM | SIGCHLD, &page);
  if (status_of(pid) != 4 || page == 0) return 2;
  *(int*)page = 5;  // it is there
  void* other = 0;
  pid = clone(map_a_page, stack + sizeof stack, SIGCHLD, &other);
  if (status_of(pid) != 4 || other != 0) return 3;
  return munmap(page, 4096) == 0 ? 0 : 4;
}
