/* A thread with the smallest stack that there may be starts `true` in three ways, each with a large
   environment of its own. Prints how many of them ended as they should. */
#include <limits.h>
#include <pthread.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

enum { kVariables = 5000, kWays = 3 };

static char name[] = "true", variable[] = "A=1";
static char* const arguments[] = {name, NULL};
static char* variables[kVariables + 1];

static pid_t start(int way) {
  pid_t child = -1;
  if (way == 2)
    return posix_spawnp(&child, name, NULL, NULL, arguments, variables) == 0 ? child : -1;
  child = vfork();
  if (child == 0) {
    if (way == 0) execve("/bin/true", arguments, variables);
    if (way == 1) execvpe(name, arguments, variables);
    _exit(1);
  }
  return child;
}

static void* in_thread(void* started) {
  for (int way = 0; way < kWays; ++way) {
    int status = -1;
    const pid_t child = start(way);
    if (child > 0 && waitpid(child, &status, 0) == child && status == 0) ++*(int*)started;
  }
  return NULL;
}

int main(void) {
  for (int i = 0; i < kVariables; ++i) variables[i] = variable;
  pthread_attr_t attributes;
  pthread_attr_init(&attributes);
  pthread_attr_setstacksize(&attributes, (size_t)PTHREAD_STACK_MIN);
  pthread_t thread;
  int started = 0;
  if (pthread_create(&thread, &attributes, in_thread, &started) != 0) return 1;
  pthread_join(thread, NULL);
  printf("started: %d\n", started);
  return 0;
}
