/* Children that end, by exit or by SIGKILL, while three of their threads start others. */
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kChildren = 16 };

static atomic_int births;

static void* end_at_once(void* unused) {
  atomic_fetch_add(&births, 1);
  return unused;
}

static void* start_others(void* unused) {
  pthread_attr_t detached;
  pthread_attr_init(&detached);
  pthread_attr_setdetachstate(&detached, PTHREAD_CREATE_DETACHED);
  for (pthread_t other;;) pthread_create(&other, &detached, end_at_once, NULL);
  return unused;
}

static void end(int way) {
  pthread_t thread;
  for (int i = 0; i < 3; ++i) pthread_create(&thread, NULL, start_others, NULL);
  while (atomic_load(&births) < 10 + 3 * way) usleep(100);
  if (way % 2 == 0) _exit(3);
  raise(SIGKILL);
}

int main(void) {
  int exits = 0;
  for (int i = 0; i < kChildren; ++i) {
    const pid_t pid = fork();
    if (pid < 0) return 1;
    if (pid == 0) end(i);
    int status = 0;
    if (waitpid(pid, &status, 0) != pid) return 2;
    exits += WIFEXITED(status);
  }
  printf("%d of %d by exit\n", exits, kChildren);
  return 0;
}
