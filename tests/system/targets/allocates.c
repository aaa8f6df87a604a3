// A little of everything that allocates: small blocks, a large one, a mapping of the program's own,
// a growing block. Built static, static-pie, PIE, non-PIE, stripped and against musl.
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kBlocks = 300, kMapBytes = 3 * 4096 };

int main(void) {
  char* blocks[kBlocks];
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[i] = malloc(16 + 10 * i);
    memset(blocks[i], 1, 16 + 10 * i);
  }
  char* large = malloc(1 << 20);
  memset(large, 1, 1 << 20);
  large = realloc(large, 3 << 20);
  char* mapping = mmap(NULL, kMapBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  mprotect(mapping, kMapBytes / 3, PROT_READ);
  munmap(mapping + kMapBytes / 3, kMapBytes / 3);
  printf("mapping: %p\n", (void*)mapping);
  for (size_t i = 0; i < kBlocks; ++i) free(blocks[i]);
  free(large);
  return 0;
}
