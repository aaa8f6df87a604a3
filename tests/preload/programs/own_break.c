// A program that moves the break itself, between its allocations: neither writes into the other's
// memory, and the program may take back what it added as long as it is the last.
#include "workload.h"

enum { kMost = 400 };
typedef struct {
  unsigned char* start;
  size_t size;
} Piece;
static Piece pieces[kMost];
static size_t piece_count;

static void grow(size_t size) {
  void* start = sbrk((intptr_t)size);
  if (start == (void*)-1) return;  // no room above the break: that happens
  pieces[piece_count++] = (Piece){start, size};
  fill(start, size, piece_count);
}

static void shrink(void) {
  const Piece* last = &pieces[piece_count - 1];
  check_filled(last->start, last->size, last->size, piece_count);
  // Only where nobody else has moved the break since.
  if (sbrk(0) != last->start + last->size) return;
  EXPECT(sbrk(-(intptr_t)last->size) != (void*)-1);
  --piece_count;
}

int main(void) {
  static Workload load;
  load.random = 11;
  uint64_t random = 12;
  grow(1000);  // also before malloc has done anything for this program
  for (unsigned round = 0; round < 1500; ++round) {
    workload_run(&load, 20);
    if (piece_count > 0 && random_below(&random, 2) == 0) {
      shrink();
    } else if (piece_count < kMost) {
      grow(1 + random_size(&random, round % 10 == 0 ? 20 : 13));
    }
  }
  for (size_t i = 0; i < piece_count; ++i) {
    check_filled(pieces[i].start, pieces[i].size, pieces[i].size, i + 1);
  }
  EXPECT_NUMBERS(load.refused, ==, 0);
  workload_end(&load);
  for (size_t i = 0; i < piece_count; ++i) {
    check_filled(pieces[i].start, pieces[i].size, pieces[i].size, i + 1);
  }
  return ok();
}
