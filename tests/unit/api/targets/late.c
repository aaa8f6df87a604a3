/* A program in C that loads a library in C++, hidden from everybody else. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  (void)argc;
  (void)argv;
  void* library = dlopen(MINI_LATE_PLUGIN, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  int (*catches)(void) = NULL;
  *(void**)&catches = dlsym(library, "catches"); /* as POSIX has it */
  if (catches == NULL || catches() == 0) return 2;
  puts("caught");
  return 0;
}
