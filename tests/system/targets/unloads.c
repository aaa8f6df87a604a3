/* Loads a library, allocates through it, and unloads it, over and over, each time elsewhere: its
   frames stay in the stacks of blocks that are still live. Prints how many blocks it asked for. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kRounds = 30, kBlocks = 20, kBytes = 50, kPage = 4096 };

static void* blocks[kRounds][kBlocks];

__attribute__((noinline)) static int use_library(const char* path, void** out) {
  void* const library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  if (library == NULL) return 0;
  void* (*library_block)(size_t) = NULL;
  *(void**)&library_block = dlsym(library, "library_block");
  for (int i = 0; i < kBlocks; ++i) out[i] = library_block(kBytes);
  return dlclose(library) == 0;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  for (int i = 0; i < kRounds; ++i) {
    if (!use_library(argv[1], blocks[i])) return 1;
    // What was the library's is something else's now, so that the next one comes elsewhere.
    if (mmap(NULL, (size_t)(i + 1) * kPage, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1,
             0) == MAP_FAILED) {
      return 1;
    }
  }
  for (int i = 0; i < kRounds; ++i) {
    for (int j = 0; j < kBlocks / 2; ++j) free(blocks[i][j]);
  }
  printf("library_block: %d %d %d\n", kRounds * kBlocks, kRounds * kBlocks * kBytes,
         kRounds * kBlocks / 2);
  return 0;
}
