// Experiment 8.2: two thousand blocks, of which never more than a
// hundred are alive.
#include <stdlib.h>
#include <string.h>

enum { kSteps = 2000, kAlive = 100, kBytes = 4000 };

static char* blocks[kAlive];

int main(void) {
  for (int i = 0; i < kSteps; ++i) {
    char** block = &blocks[i % kAlive];
    free(*block);
    *block = malloc(kBytes);
    if (*block == NULL) return 1;
    memset(*block, 1, kBytes);
  }
  return 0;
}
