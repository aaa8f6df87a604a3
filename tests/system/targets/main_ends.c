/* The main thread ends, and another goes on, by whose number alone the kernel shows the process's
   memory from then on; a third one waits until the end of all. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

static pthread_t main_thread;

static void* wait_for_the_end(void* unused) {
  while (pause() == -1) continue;
  return unused;
}

static void* go_on(void* unused) {
  pthread_t waiting;
  pthread_join(main_thread, NULL);
  if (pthread_create(&waiting, NULL, wait_for_the_end, NULL) != 0) exit(1);
  free(malloc(1 << 20));
  if (mmap(NULL, 1 << 21, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) == MAP_FAILED) exit(1);
  puts("the main thread has ended");
  exit(3);
  return unused;
}

int main(void) {
  pthread_t other;
  main_thread = pthread_self();
  if (pthread_create(&other, NULL, go_on, NULL) != 0) return 1;
  pthread_exit(NULL);
}
