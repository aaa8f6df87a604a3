// Experiment 0.4: a program that moves the break without meaning to.
//
// Each line below was to show the break beside a new block, but says
// sbrk(1000) where sbrk(0) was meant. So the program itself grows the
// heap by 1000 bytes a line, and malloc has no part in it: its blocks
// stay where one growth before them had put the room.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "look.h"

int main(void) {
  printf("heap start: %p\n", sbrk(0));

  // clang-format off: one statement a line, whose __LINE__ is its sbrk's.
  printf("first block: %p, break was: %p (line %d)\n", malloc(1000), sbrk(1000), __LINE__);
  printf("second block: %p, break was: %p (line %d)\n", malloc(1000), sbrk(1000), __LINE__);
  printf("third block: %p, break was: %p (line %d)\n", malloc(1000), sbrk(1000), __LINE__);
  // clang-format on

  printf("break after: %p\n", sbrk(0));
  look_here("the break was moved three times");
  return 0;
}
