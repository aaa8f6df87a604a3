// Experiment 0.3: three blocks of 1000 bytes; how many times does the
// heap grow for them?
//
// One growth serves all three, and each block costs 1008 (0x3f0) bytes:
// 1000 rounded up with the eight bytes that malloc keeps before it.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "look.h"

int main(void) {
  char* start = sbrk(0);
  printf("heap start: %p\n", (void*)start);

  char* first = malloc(1000);
  printf("first block: %p (heap start + 0x%tx)\n", (void*)first,
         first - start);
  char* second = malloc(1000);
  printf("second block: %p (0x%tx after the first)\n", (void*)second,
         second - first);
  char* third = malloc(1000);
  printf("third block: %p (0x%tx after the second)\n", (void*)third,
         third - second);

  char* end = sbrk(0);
  printf("break after: %p (heap start + 0x%tx)\n", (void*)end,
         end - start);
  look_here("three blocks are live");
  free(first);
  free(second);
  free(third);
  return 0;
}
