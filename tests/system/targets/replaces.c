/* replaces ROUNDS HOW ONE TWO: loads a library, allocates through it, and unloads it, over and
   over, and then another one, whose code gets the same place. HOW: "hidden": the first is unloaded
   by the C library itself, as it does with what it loaded for iconv. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { kBytes = 50 };

typedef int (*close_function)(void* library);

__attribute__((noinline)) static void* use_library(const char* path, close_function close_it) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) exit(1);
  void* (*library_block)(size_t) = NULL;
  *(void**)&library_block = dlsym(library, "library_block");
  free(library_block(kBytes));
  close_it(library);
  return *(void**)&library_block;
}

int main(int argc, char** argv) {
  if (argc != 5) return 2;
  close_function close_it = dlclose;
  void* const libc = dlopen("libc.so.6", RTLD_NOW);
  if (strcmp(argv[2], "hidden") == 0) *(void**)&close_it = dlsym(libc, "dlclose");
  const int rounds = atoi(argv[1]);
  const void* at[2] = {NULL, NULL};
  for (int i = 0; i <= rounds; ++i) {
    at[i == rounds] = use_library(argv[i < rounds ? 3 : 4], close_it);
  }
  printf("one: %d %d\ntwo: 1 %d\n", rounds, rounds * kBytes, kBytes);
  return at[0] == at[1] ? 0 : 3;
}
