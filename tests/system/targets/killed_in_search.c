// Its child waits at its end to be searched for leaks, with a list of blocks that are all kept and
// with a second thread, and is killed as soon as somebody holds it for that.
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kBlocks = 500000 };
static void** kept;

static void* waits(void* nothing) {
  pause();
  return nothing;
}

static void grow_and_end(void) {
  pthread_t thread;
  pthread_create(&thread, NULL, waits, NULL);
  for (int i = 0; i < kBlocks; ++i) {
    void** block = malloc(48);
    *block = kept;
    kept = block;
  }
  exit(0);
}

static int is_held(const char* status_path) {
  char text[4096];
  FILE* file = fopen(status_path, "r");
  if (file == NULL) return 0;
  text[fread(text, 1, sizeof text - 1, file)] = '\0';
  fclose(file);
  return strstr(text, "\nState:\tt") != NULL || strstr(text, "\nState:\tZ") != NULL;
}

int main(void) {
  const pid_t child = fork();
  if (child == 0) grow_and_end();
  char path[64];
  snprintf(path, sizeof path, "/proc/%d/status", (int)child);
  while (!is_held(path)) usleep(1000);
  kill(child, SIGKILL);
  int status = 0;
  if (waitpid(child, &status, 0) != child) return 1;
  printf("ended by %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  return 0;
}
