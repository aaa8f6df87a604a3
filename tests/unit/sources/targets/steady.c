// Runs until its standard input ends: two threads that map and unmap, and a first thread that
// answers every byte it reads with a line.
#include <pthread.h>
#include <stdio.h>
#include <sys/mman.h>
#include <unistd.h>

static void* busy(void* nothing) {
  for (;;) {
    munmap(mmap(0, 8192, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0), 8192);
    usleep(200);
  }
  return nothing;
}

int main(void) {
  pthread_t thread;
  pthread_create(&thread, 0, busy, 0);
  pthread_create(&thread, 0, busy, 0);
  char byte;
  int count = 0;
  do {
    printf("alive %d\n", count++);
    fflush(stdout);
  } while (read(0, &byte, 1) == 1);
  return 6;
}
