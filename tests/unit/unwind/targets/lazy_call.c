// Calls a library's function for the first time, through the PLT, between two stops.
#include <signal.h>
#include <stdlib.h>

__attribute__((noinline)) int calls_through_plt(const char* text);

int calls_through_plt(const char* text) {
  return atoi(text) + 1;
}

int main(int argc, char** argv) {
  (void)argv;
  raise(SIGSTOP);
  const int result = calls_through_plt(argc > 0 ? "1" : "2");
  raise(SIGSTOP);
  return result != 2;
}
