// Traps SIGTRAP itself, sent in three ways, one of them with a value. Prints what arrived.
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

static siginfo_t last;
static volatile sig_atomic_t count;

static void on_trap(int signal, siginfo_t* info, void* context) {
  (void)signal;
  (void)context;
  ++count;
  last = *info;
}

static void print(void) {
  printf("%d code %d value %d\n", (int)count, last.si_code,
         last.si_code == SI_QUEUE ? last.si_value.sival_int : 0);
}

int main(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_trap;
  action.sa_flags = SA_SIGINFO;
  sigaction(SIGTRAP, &action, 0);
  kill(getpid(), SIGTRAP);
  print();
  union sigval value;
  value.sival_int = 42;
  sigqueue(getpid(), SIGTRAP, value);
  print();
#if defined(__x86_64__)
  __asm__ volatile("int3");
#else
  raise(SIGTRAP);
#endif
  print();
  return 0;
}
