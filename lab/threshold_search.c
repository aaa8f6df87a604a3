// Experiment 6: from which request on does a block get a mapping of its
// own? Found by search.
//
// Each try is made by a child process of its own (fork), so that none
// changes malloc for the next.
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#include "look.h"

enum { kKiB = 1024, kMost = 1024 * kKiB, kFreed = 256 * kKiB };
enum {
  kUsesUp = 100 * 1000
};  // of the 132 KiB that malloc buys at first

static char* heap_start;

static bool has_own_mapping(const char* block) {
  return block < heap_start || block >= (char*)sbrk(0);
}

static bool child_says_mapped(size_t used_up, size_t bytes) {
  const pid_t child = fork();
  if (child == 0) {
    if (used_up != 0 && malloc(used_up) == NULL) _exit(2);
    _exit(has_own_mapping(malloc(bytes)) ? 1 : 0);
  }
  int status = 0;
  if (child < 0 || waitpid(child, &status, 0) != child) abort();
  return WIFEXITED(status) && WEXITSTATUS(status) == 1;
}

// The smallest request that gets one; 0 where none does.
static size_t search(size_t used_up) {
  size_t in_heap = 0;
  size_t mapped = kMost;
  if (!child_says_mapped(used_up, mapped)) return 0;
  while (mapped - in_heap > 1) {
    const size_t bytes = in_heap + (mapped - in_heap) / 2;
    *(child_says_mapped(used_up, bytes) ? &mapped : &in_heap) = bytes;
  }
  return mapped;
}

int main(void) {
  heap_start = sbrk(0);
  free(malloc(1));  // malloc has its heap
  const size_t at_first = search(0);
  const size_t used_up = search(kUsesUp);
  free(malloc(kFreed));
  const size_t after_free = search(kUsesUp);
  printf("with a full stock: %zu\n", at_first);
  printf("with the stock used up: %zu\n", used_up);
  printf("after a free of %d: %zu\n", kFreed, after_free);
  look_here("the threshold has moved");
  return 0;
}
