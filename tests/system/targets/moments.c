/* Asks for blocks and frees them in no order, marks moments, and says of each what it had then,
   what it had asked for since the one before, and what malloc said that it gave. */
#include <heapspy/annotate.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { kMoments = 10, kSteps = 1000, kBlocks = 500, kMostBytes = 5000 };

struct Moment {
  unsigned long live_bytes;
  unsigned long live_blocks;
  unsigned long asked_bytes;
  unsigned long held_bytes;
};

static struct {
  void* address;
  size_t bytes;
} blocks[kBlocks];

static unsigned next_number(void) {
  static unsigned state = 1;
  state = state * 1664525U + 1013904223U;
  return state >> 8;
}

static void take_a_step(struct Moment* now) {
  const unsigned i = next_number() % kBlocks;
  if (blocks[i].address != NULL) {
    free(blocks[i].address);
    blocks[i].address = NULL;
    now->live_bytes -= blocks[i].bytes;
    --now->live_blocks;
    return;
  }
  blocks[i].bytes = next_number() % kMostBytes + 1;
  blocks[i].address = malloc(blocks[i].bytes);
  if (blocks[i].address == NULL) abort();
  now->live_bytes += blocks[i].bytes;
  now->asked_bytes += blocks[i].bytes;
  ++now->live_blocks;
}

/* A recording's times are those of microseconds: what was before a moment is to be in another one.
 */
static void let_microseconds_pass(void) {
  struct timespec begin;
  struct timespec now;
  clock_gettime(CLOCK_MONOTONIC, &begin);
  do {
    clock_gettime(CLOCK_MONOTONIC, &now);
  } while (now.tv_sec == begin.tv_sec && now.tv_nsec - begin.tv_nsec < 3000);
}

int main(void) {
  static struct Moment moments[kMoments];
  for (int i = 0; i < kMoments; ++i) {
    struct Moment* now = &moments[i];
    if (i != 0) {
      now->live_bytes = now[-1].live_bytes;
      now->live_blocks = now[-1].live_blocks;
      for (int step = 0; step < kSteps; ++step) take_a_step(now);
    }
    now->held_bytes = mallinfo2().uordblks;
    let_microseconds_pass();
    heapspy_mark("moment");
  }
  for (int i = 0; i < kMoments; ++i) {
    printf("%lu %lu %lu %lu\n", moments[i].live_bytes, moments[i].live_blocks,
           moments[i].asked_bytes, moments[i].held_bytes);
  }
  return 0;
}
