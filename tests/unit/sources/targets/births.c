// Threads that fork while others begin and end: 8 of them make 50 children each, which end at once.
// Exits 1 where a child failed.
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kForking = 8, kChildren = 50 };

static atomic_int failures;
static atomic_int forking = kForking;

static void* fork_and_wait(void* unused) {
  for (int i = 0; i < kChildren; ++i) {
    const pid_t pid = fork();
    if (pid == 0) _exit(7);
    int status = 0;
    if (pid < 0 || waitpid(pid, &status, 0) != pid || WEXITSTATUS(status) != 7) ++failures;
  }
  --forking;
  return unused;
}

static void* end_at_once(void* unused) {
  return unused;
}

int main(void) {
  pthread_t threads[kForking];
  for (int i = 0; i < kForking; ++i) pthread_create(&threads[i], NULL, fork_and_wait, NULL);
  while (forking > 0) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, end_at_once, NULL) == 0) pthread_join(thread, NULL);
  }
  for (int i = 0; i < kForking; ++i) pthread_join(threads[i], NULL);
  return failures > 0;
}
