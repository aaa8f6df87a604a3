// Experiment 5: three neighbours freed in each of the six orders.
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

enum { kBytes = 2000, kThreeTogether = 6032 };

static const char* const kOrders[] = {"ABC", "ACB", "BAC",
                                      "BCA", "CAB", "CBA"};

int main(void) {
  printf("six orders\n");  // stdio has its buffer from here on
  for (int i = 0; i < 6; ++i) {
    char* blocks[3];
    for (int k = 0; k < 3; ++k) blocks[k] = malloc(kBytes);
    char* fence = malloc(16);  // else C would be the end of the heap
    if (i == 0)
      printf("A: %p\nB: %p\nC: %p\n", (void*)blocks[0], (void*)blocks[1],
             (void*)blocks[2]);
    char* first = blocks[0];
    for (int k = 0; k < 3; ++k) {
      free(blocks[kOrders[i][k] - 'A']);
      look_here(kOrders[i]);
    }
    // As long as all three with what malloc had between them.
    char* whole = malloc(kThreeTogether);
    printf("%s: %s\n", kOrders[i],
           whole == first ? "one chunk" : "pieces");
    free(whole);
    free(fence);
  }
  return 0;
}
