// A library of its own that is opened so that it looks into its own libraries first: its blocks
// become the program's and the program's blocks its own. It is found by this program's own path for
// libraries. Prints what each place allocated, as "FUNCTION: BLOCKS BYTES".
//   deep_bound [dlmopen]
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

enum { kBlocks = 1000, kBytes = 100 };

static void* block_of_program(void) {
  return malloc(kBytes);
}

int main(int argc, char** argv) {
  (void)argv;
  const char* name = "libdeep_bound_library.so";
  const int mode = RTLD_NOW | RTLD_DEEPBIND;
  void* library = argc == 1 ? dlopen(name, mode) : dlmopen(LM_ID_BASE, name, mode);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 1;
  }
  void* (*block_of_library)(size_t);
  void (*take)(void*);
  *(void**)&block_of_library = dlsym(library, "block_of_library");
  *(void**)&take = dlsym(library, "take");
  for (int i = 0; i < kBlocks; ++i) {
    take(block_of_program());
    free(realloc(block_of_library(kBytes), kBytes + 50));
  }
  printf("block_of_program: %d %d\n", kBlocks, kBlocks * kBytes);
  printf("block_of_library: %d %d\n", kBlocks, kBlocks * kBytes);
  return 0;
}
