// Experiment 7: where freed chunks of different sizes go, and where they
// are after a large request.
#include <stdio.h>
#include <stdlib.h>

#include "look.h"

enum { kEach = 10, kLarge = 5000 };

static const size_t kBytes[] = {24, 200, 2000};

int main(void) {
  printf("blocks of each size: %d\n", kEach);
  char* blocks[3][kEach];
  for (int s = 0; s < 3; ++s) {
    for (int i = 0; i < kEach; ++i) {
      blocks[s][i] = malloc(kBytes[s]);
      if (malloc(40) == NULL) return 1;  // stays, to keep them apart
    }
  }
  for (int s = 0; s < 3; ++s) {
    for (int i = 0; i < kEach; ++i) free(blocks[s][i]);
  }
  look_here("freed");

  char* large = malloc(kLarge);
  look_here("after a large request");
  free(large);
  return 0;
}
