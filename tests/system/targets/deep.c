/* Allocates at the bottom of as many calls as its argument says. Prints what it asked for there. */
#include <stdio.h>
#include <stdlib.h>

enum { kBlocks = 10, kBytes = 100 };

static void* volatile kept;

__attribute__((noinline)) static void at_the_bottom(void) {
  for (int i = 0; i < kBlocks; ++i) {
    kept = malloc(kBytes);
    free(kept);
  }
}

__attribute__((noinline)) static unsigned long go_down(unsigned long depth) {
  if (depth == 0) {
    at_the_bottom();
    return 0;
  }
  return go_down(depth - 1) + 1;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  const unsigned long depth = go_down(strtoul(argv[1], NULL, 10));
  printf("%lu calls deep: %d %d\n", depth, kBlocks, kBlocks * kBytes);
  return 0;
}
