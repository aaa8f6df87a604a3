// Hides itself: /proc/PID/maps and its memory are closed to all but the privileged, a tracer too.
// Then it maps, and so does a child; and it becomes another program, which is open again.
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

static int map_and_unmap(void) {
  void* shared = mmap(NULL, 8192, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  if (shared == MAP_FAILED || munmap(shared, 8192) != 0) return 1;
  // Fails, but for all the tracer knows in part only.
  return munmap((char*)shared + 1, 4096) == 0;
}

int main(void) {
  prctl(PR_SET_DUMPABLE, 0, 0, 0, 0);
  if (map_and_unmap() != 0) return 1;
  const pid_t pid = fork();
  if (pid == 0) _exit(map_and_unmap() == 0 ? 7 : 1);
  int status = 0;
  if (waitpid(pid, &status, 0) != pid) return 2;
  printf("child: %d\n", WEXITSTATUS(status));
  fflush(stdout);
  execl("/bin/sh", "sh", "-c", "exit 7", (char*)NULL);
  return 3;
}
