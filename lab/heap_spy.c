// Experiment 0.2: does malloc(1000) move the program break?
//
// The break is asked for before anything is printed, and again after
// malloc(1000). Which call moved it is for `heapspy trace` to tell.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

int main(void) {
  char* before = sbrk(0);
  printf("break before: %p (line %d)\n", (void*)before, __LINE__);

  char* block = malloc(1000);
  char* after = sbrk(0);

  printf("block: %p (heap start + 0x%tx)\n", (void*)block,
         block - before);
  printf("break after: %p (heap start + 0x%tx)\n", (void*)after,
         after - before);
  free(block);
  return 0;
}
