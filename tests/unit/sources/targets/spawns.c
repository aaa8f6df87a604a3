// Four threads that start others, which end at once, until the input ends.
#include <pthread.h>
#include <stdio.h>
#include <unistd.h>

enum { kThreads = 4 };

static void* end_at_once(void* argument) {
  return argument;
}

static void* start_others(void* argument) {
  for (;;) {
    pthread_t thread;
    if (pthread_create(&thread, 0, end_at_once, 0) == 0) pthread_join(thread, 0);
  }
  return argument;
}

int main(void) {
  for (int i = 0; i < kThreads; ++i) {
    pthread_t thread;
    if (pthread_create(&thread, 0, start_others, 0) != 0) return 1;
  }
  puts("ready");
  fflush(stdout);
  char byte;
  return read(STDIN_FILENO, &byte, 1) == 0 ? 0 : 2;
}
