/* Opens a plugin, has it work, closes it, and goes on until its end. It is told nothing of
 * minimalloc. */
#include <dlfcn.h>
#include <stdio.h>

int main(int argc, char** argv) {
  void* plugin = argc == 2 ? dlopen(argv[1], RTLD_NOW | RTLD_LOCAL) : NULL;
  if (plugin == NULL) {
    fprintf(stderr, "%s\n", argc == 2 ? dlerror() : "which plugin?");
    return 1;
  }
  int (*work)(void) = NULL;
  *(void**)&work = dlsym(plugin, "work");
  return work == NULL || work() != 0 || dlclose(plugin) != 0;
}
