/* Forbids itself to read the counter of the processor, or goes into the strict mode of seccomp, and
   allocates before and after. */
#include <linux/seccomp.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

__attribute__((noinline)) static void before(void) {
  for (int i = 0; i < 10; ++i) free(malloc(100));
}

__attribute__((noinline)) static void after(void) {
  for (int i = 0; i < 1000; ++i) free(malloc(200));
}

__attribute__((noinline)) static void again(void) {
  for (int i = 0; i < 10; ++i) free(malloc(300));
}

static void* in_thread(void* unused) {
  after();
  return unused;
}

static void in_new_thread(void) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, in_thread, NULL) == 0) pthread_join(thread, NULL);
}

int main(int argc, char** argv) {
  before();
  if (argc > 1 && strcmp(argv[1], "strict") == 0) {
    if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT) != 0) return 1;
    after();
    syscall(SYS_exit, 4);
  }
  if (prctl(PR_SET_TSC, PR_TSC_SIGSEGV) != 0) return 1;
  after();
  in_new_thread();
  if (argc > 1 && strcmp(argv[1], "for good") == 0) return 5;
  if (prctl(PR_SET_TSC, PR_TSC_ENABLE) != 0) return 1;
  again();
  return 6;
}
