// See deep_bound.c.
#include <stdlib.h>

void* block_of_library(size_t bytes);
void take(void* block);

void* block_of_library(size_t bytes) {
  return malloc(bytes);
}

void take(void* block) {
  free(block);
}
