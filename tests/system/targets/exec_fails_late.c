/* A thread becomes a program for which there is no room: the execve ends all other threads first
   and then, for want of a way back, the process. In children whose main thread has ended, and in
   ones where it waits; and in the process itself, last. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

static pthread_t main_thread;
static int main_ends;

static void* become_another(void* unused) {
  if (main_ends) pthread_join(main_thread, NULL);
  const struct rlimit room = {200000, 200000}; /* enough for the arguments alone */
  setrlimit(RLIMIT_AS, &room);
  execl("/bin/sh", "sh", "-c", "exit 5", (char*)NULL);
  _exit(3);
  return unused;
}

static void fail_to_become_another(void) {
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  main_thread = pthread_self();
  pthread_t other;
  if (pthread_create(&other, NULL, become_another, NULL) != 0) _exit(99);
  if (main_ends) pthread_exit(NULL);
  while (pause() == -1) continue;
}

int main(void) {
  for (main_ends = 0; main_ends < 2; ++main_ends) {
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) fail_to_become_another();
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return 2;
    printf("ended by signal %d\n", WIFSIGNALED(status) ? WTERMSIG(status) : 0);
  }
  fflush(stdout);
  fail_to_become_another();
}
