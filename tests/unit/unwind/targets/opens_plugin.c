// Opens argv[1] by dlopen and stops in a callback from it; with "closed", after closing it again.
#include <dlfcn.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>

static volatile int sink;

__attribute__((noinline)) static void callback_stops(void) {
  raise(SIGSTOP);
  sink = 1;
}

int main(int argc, char** argv) {
  if (argc < 2) return 2;
  callback_stops();
  void* library = dlopen(argv[1], RTLD_NOW);
  if (library == NULL) return 1;
  void (*plugin_calls)(void (*)(void)) = NULL;
  *(void**)&plugin_calls = dlsym(library, "plugin_calls");
  plugin_calls(callback_stops);
  dlclose(library);
  callback_stops();
  return 0;
}
