// Has the names and the section by which a Go program is known: a stack switch between goroutine
// and scheduler is in the chain, so what is outside it must not be shown.
#include <signal.h>

__attribute__((section(".gopclntab"), used)) static const int kGoTable = 1;

static volatile int sink;

__attribute__((noinline)) static void runs_on_system_stack(void) {
  raise(SIGSTOP);
  sink = 1;
}

__attribute__((noinline, used)) void switches_stack(void) __asm__("runtime.systemstack.abi0");
void switches_stack(void) {
  runs_on_system_stack();
  sink = 2;
}

int main(void) {
  switches_stack();
  return sink;
}
