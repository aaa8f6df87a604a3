// Kills itself with the signal whose number it is given, or, for a negative number, from a thread
// other than the first one.
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <unistd.h>

static void* kill_from_thread(void* signal_number) {
  kill(getpid(), *(const int*)signal_number);
  pause();
  return NULL;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  const struct rlimit no_core = {0, 0};
  setrlimit(RLIMIT_CORE, &no_core);
  int number = atoi(argv[1]);
  if (number > 0) {
    signal(number, SIG_DFL);
    kill(getpid(), number);
    return 1;
  }
  number = -number;
  signal(number, SIG_DFL);
  pthread_t thread;
  pthread_create(&thread, NULL, kill_from_thread, &number);
  pause();
  return 1;
}
