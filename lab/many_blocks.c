// Experiment 1: a thousand blocks. How many system calls they take
// depends on the malloc alone.
//
// Nothing is printed: stdio would ask for a block of its own.
#include <stdlib.h>

enum { kBlocks = 1000, kBytes = 1000 };

int main(void) {
  for (int i = 0; i < kBlocks; ++i) {
    char* block = malloc(kBytes);
    if (block == NULL) return 1;
    block[0] = 1;
  }
  return 0;  // what is not freed goes with the process
}
