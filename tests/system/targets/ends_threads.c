/* Threads, one after the other, of which the agent does not see the end: what each has of the C
   library's own is freed after all that a program may do; or the thread ends by the system call. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int is_raw;

static void* in_thread(void* unused) {
  free(malloc(100));
  if (is_raw) syscall(SYS_exit, 0);
  return strerror(12345) != NULL ? unused : NULL;  // a text of this thread's
}

int main(int argc, char** argv) {
  const int count = argc > 1 ? atoi(argv[1]) : 3000;
  is_raw = argc > 2 && strcmp(argv[2], "raw") == 0;
  for (int i = 0; i < count; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, NULL, in_thread, NULL) != 0) return 1;
    pthread_join(thread, NULL);
  }
  printf("threads: %d\n", count);
  return 0;
}
