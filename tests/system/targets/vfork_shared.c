// A vforked child that maps and unmaps in its parent's address space before it executes another
// program: what it did must be seen as done to both, and must outlive it.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

static char* volatile mapped_by_child;

int main(void) {
  char* ours = mmap(NULL, 4 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  const pid_t pid = vfork();
  if (pid == 0) {
    mapped_by_child = mmap(NULL, 3 * 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    munmap(ours, 4096);
    execl("/bin/true", "true", (char*)NULL);
    _exit(127);
  }
  int status = 0;
  waitpid(pid, &status, 0);
  // Readable in the parent, because it is the same address space.
  printf("byte from the child's mapping: %d, its status: %d\n", mapped_by_child[0], status);
  return munmap(mapped_by_child, 3 * 4096) == 0 ? 0 : 1;
}
