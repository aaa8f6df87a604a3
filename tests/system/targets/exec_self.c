// Executes itself N times, each time with a heap of another size; then vforks a child that executes
// it once more, and passes that child's status on.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kChildStatus = 42 };

static int spawn_child(void) {
  const pid_t pid = vfork();
  if (pid == 0) {
    execl("/proc/self/exe", "exec_self", "child", (char*)NULL);
    _exit(127);
  }
  int status = 0;
  if (waitpid(pid, &status, 0) != pid || !WIFEXITED(status)) return 1;
  printf("child's status: %d\n", WEXITSTATUS(status));
  return WEXITSTATUS(status) == kChildStatus ? 0 : 2;
}

int main(int argc, char** argv) {
  if (argc > 1 && strcmp(argv[1], "child") == 0) return kChildStatus;
  const int left = argc > 1 ? atoi(argv[1]) : 3;
  char* block = malloc((size_t)(left + 1) * 100000);
  printf("left: %d\n", left);
  fflush(stdout);
  free(block);
  if (left == 0) return spawn_child();
  char text[16];
  snprintf(text, sizeof text, "%d", left - 1);
  execl("/proc/self/exe", argv[0], text, (char*)NULL);
  return 1;
}
