// 200 children at once, each with a heap and a mapping of its own. Exits 1 where a child failed.
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

int main(void) {
  for (int i = 0; i < 200; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return 2;
    if (pid > 0) continue;
    void* block = malloc(300000);
    void* page = mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    free(block);
    _exit(block != 0 && page != MAP_FAILED ? 7 : 1);
  }
  int count = 0;
  int status = 0;
  while (wait(&status) > 0) count += WIFEXITED(status) && WEXITSTATUS(status) == 7;
  return count == 200 ? 0 : 1;
}
