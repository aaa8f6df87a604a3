// To be traced: the same request, answered in two ways.
//
// 256 KiB is above malloc's mmap threshold (128 KiB at first): the block
// gets a mapping of its own, and free gives that back to the kernel at
// once. But the free also teaches malloc that blocks of this size come
// and go: it raises the threshold to it, and serves the next one from
// the heap.
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

enum { kRequestBytes = 256 * 1024 };

static const char* place(const char* block, const char* heap_start) {
  const char* heap_end = sbrk(0);
  return heap_start <= block && block < heap_end
             ? "in the heap"
             : "in a mapping of its own";
}

int main(void) {
  char* start = sbrk(0);
  printf("heap start: %p\n", (void*)start);

  char* first = malloc(kRequestBytes);
  printf("first block: %p, %s (line %d)\n", (void*)first,
         place(first, start), __LINE__ - 2);
  free(first);
  printf("freed: the first block (line %d)\n", __LINE__ - 1);

  char* second = malloc(kRequestBytes);
  printf("second block: %p, %s (line %d)\n", (void*)second,
         place(second, start), __LINE__ - 2);
  free(second);
  return 0;
}
