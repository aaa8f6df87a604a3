/* Allocates in every way and place that there is, and prints what a recording must say of it: for
   each function how many blocks it asked for, how many bytes, and how many of them stay. */
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kThreads = 8, kThreadBlocks = 500, kForks = 3, kTemporary = 1000, kKept = 10 };

static void* volatile kept;  // the compiler must not see that a block is not used
static pthread_key_t key;

static void said(const char* function, unsigned long calls, unsigned long bytes,
                 unsigned long left) {
  printf("%s: %lu %lu %lu\n", function, calls, bytes, left);
}

static void keep_and_drop(void* block) {
  kept = block;
  free(kept);
}

__attribute__((constructor, noinline)) static void before_main(void) {
  keep_and_drop(malloc(21));
}

__attribute__((noinline)) static void leaks(void) {
  for (int i = 0; i < kKept; ++i) kept = malloc(1000);
}

__attribute__((noinline)) static void temporary(void) {
  for (int i = 0; i < kTemporary; ++i) keep_and_drop(malloc(100));
}

__attribute__((noinline)) static void resizes(void) {
  void* block = realloc(NULL, 10);
  block = realloc(block, 100);
  block = reallocarray(block, 100, 100);
  const volatile size_t too_much = (size_t)-1;
  if (realloc(block, too_much / 2 + 1) != NULL) abort();
  block = realloc(block, 20);
  keep_and_drop(block);
}

__attribute__((noinline)) static void family(void) {
  void* block = NULL;
  keep_and_drop(calloc(3, 7));
  keep_and_drop(aligned_alloc(64, 128));
  keep_and_drop(memalign(32, 33));
  if (posix_memalign(&block, 256, 300) == 0) keep_and_drop(block);
  keep_and_drop(valloc(5000));
}

__attribute__((noinline)) static void fails(void) {
  const volatile size_t too_much = (size_t)-1;
  kept = malloc(too_much / 2 + 1);
  kept = calloc(too_much, 2);
}

__attribute__((noinline)) static void* in_thread(void* unused) {
  void* blocks[kThreadBlocks];
  for (int i = 0; i < kThreadBlocks; ++i) blocks[i] = malloc(64);
  for (int i = 0; i < kThreadBlocks; ++i) free(blocks[i]);
  pthread_setspecific(key, malloc(48));
  return unused;
}

__attribute__((noinline)) static void at_end_of_thread(void* block) {
  free(block);
  keep_and_drop(malloc(49));
}

__attribute__((noinline)) static void in_handler(int signal) {
  (void)signal;
  keep_and_drop(malloc(33));
}

__attribute__((noinline)) static void at_exit(void) {
  keep_and_drop(malloc(77));
}

__attribute__((noinline)) static void in_child(void) {
  for (int i = 0; i < 100; ++i) keep_and_drop(malloc(200));
}

int main(void) {
  atexit(at_exit);
  pthread_key_create(&key, at_end_of_thread);
  leaks();
  temporary();
  resizes();
  family();
  fails();
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, in_thread, NULL);
  for (int i = 0; i < kForks; ++i) {  // while the others allocate
    const pid_t child = fork();
    if (child == 0) {
      in_child();
      _exit(0);
    }
    int status = -1;
    waitpid(child, &status, 0);
    if (status != 0) return 1;
  }
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  signal(SIGUSR1, in_handler);
  raise(SIGUSR1);
  said("before_main", 1, 21, 0);
  said("leaks", kKept, kKept * 1000, kKept);
  said("temporary", kTemporary, kTemporary * 100, 0);
  said("resizes", 4, 10 + 100 + 10000 + 20, 0);
  said("family", 5, 21 + 128 + 33 + 300 + 5000, 0);
  said("in_thread", kThreads * (kThreadBlocks + 1), kThreads * (kThreadBlocks * 64 + 48), 0);
  said("at_end_of_thread", kThreads, kThreads * 49, 0);
  said("in_handler", 1, 33, 0);
  said("at_exit", 1, 77, 0);
  return 42;
}
