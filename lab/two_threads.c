// Experiment 8.1: two threads that allocate, and a third when the second
// has ended.
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

enum { kBytes = 1000 };

static const char* const kSecond = "second";
static const char* const kThird = "third";

static void* allocate(void* name) {
  char* block = malloc(kBytes);
  printf("%s thread's block: %p\n", (const char*)name, (void*)block);
  look_here((const char*)name);
  free(block);
  return NULL;
}

static void run(const char* name) {
  pthread_t thread;
  if (pthread_create(&thread, NULL, allocate, (void*)(size_t)name) != 0)
    abort();
  pthread_join(thread, NULL);
}

int main(void) {
  printf("first thread's block: %p\n", malloc(kBytes));
  run(kSecond);
  run(kThird);
  return 0;
}
