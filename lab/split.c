// Experiment 4: a free chunk of 2016 bytes, and requests for less.
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

int main(void) {
  printf("a chunk is split\n");  // stdio has its buffer from here on
  char* whole = malloc(2000);
  char* fence = malloc(16);  // else it would join the end of the heap
  printf("freed block: %p\n", (void*)whole);
  free(whole);
  look_here("before: one free chunk");

  char* part = malloc(500);
  printf("part: %p\n", (void*)part);
  printf("usable of the part: %zu\n", malloc_usable_size(part));
  look_here("after: one in use, one free");

  char* rest = malloc(1480);  // leaves 16 bytes, too few for a chunk
  printf("rest: %p\n", (void*)rest);
  printf("usable of the rest: %zu\n", malloc_usable_size(rest));
  free(rest);
  free(part);
  free(fence);
  return 0;
}
