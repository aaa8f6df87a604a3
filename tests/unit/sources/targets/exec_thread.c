// A thread other than the first one execs while others are busy mapping memory.
#include <pthread.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_barrier_t barrier;

static void* busy(void* nothing) {
  pthread_barrier_wait(&barrier);
  for (;;) munmap(mmap(0, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 4096);
  return nothing;
}

static void* exec_other(void* nothing) {
  pthread_barrier_wait(&barrier);
  execl("/bin/sh", "sh", "-c", "exit 5", (char*)0);
  return nothing;
}

int main(void) {
  pthread_t thread;
  pthread_barrier_init(&barrier, 0, 5);
  for (int i = 0; i < 3; ++i) pthread_create(&thread, 0, busy, 0);
  pthread_create(&thread, 0, exec_other, 0);
  pthread_barrier_wait(&barrier);
  for (;;) pause();
}
