/* Built without call frame information and without frame pointers: nobody can walk through it. It
   allocates from there and from a callback of qsort, whose code has some. Prints what it counted.
 */
#include <stdio.h>
#include <stdlib.h>

enum { kNumbers = 100 };

static unsigned long blocks;
static void* volatile kept;

__attribute__((noinline)) static int compare(const void* a, const void* b) {
  kept = malloc(24);
  ++blocks;
  free(kept);
  return *(const int*)a - *(const int*)b;
}

__attribute__((noinline)) static void sort_some(int seed) {
  int numbers[kNumbers];
  for (int i = 0; i < kNumbers; ++i) numbers[i] = (i * seed) % kNumbers;
  qsort(numbers, kNumbers, sizeof numbers[0], compare);
}

int main(void) {
  for (int seed = 1; seed < 50; ++seed) sort_some(seed);
  printf("blocks: %lu\n", blocks);
  return 0;
}
