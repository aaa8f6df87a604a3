// Stage 1: bump. Every request moves the program break, and nothing ever comes back.
//
// What it teaches: malloc needs nothing but a place where fresh memory begins. The kernel keeps
// one, the program break: sbrk(n) moves it up by n bytes, and what lies between the old break and
// the new one is ours.
//
//   start of the heap                                   break
//   ├─────────┬─────────────────┬──────────┬─────────────┤
//   │ block 1 │ block 2         │ block 3  │ block 4     │  → grows
//   └─────────┴─────────────────┴──────────┴─────────────┘
//
// Invariants, of the blocks b[1], b[2], … in the order of the requests:
//   address(b) mod 16 = 0
//   address(b[i]) + size(b[i]) <= address(b[i+1])
//   calls of brk = requests + 1, for the first of all asks where the break is
//
// What it does badly: nobody wrote down how long a block is. So malloc_usable_size can only say 0,
// not known; and realloc moves the block every time, even to make it shorter.
// `habits resize`, 20,000 times realloc of a block that is never longer than at first: 16.7 MiB and
// 20,042 system calls; from stage 2 on 1.2 MiB and 42.
#include "family.h"

static const bool kHasHeaders = false;

static Lock heap_lock = PTHREAD_MUTEX_INITIALIZER;

static void* allocate(size_t size) {
  lock(&heap_lock);
  const uintptr_t heap_end = (uintptr_t)sbrk(0);
  const uintptr_t block = round_up(heap_end, kAlignment);
  const bool grown = sbrk((intptr_t)(block + size - heap_end)) != (void*)-1;
  unlock(&heap_lock);
  return grown ? (void*)block : NULL;
}

static size_t usable_size(const void* block) {
  (void)block;
  return 0;
}

static void release(void* block) {
  (void)block;
}

// The block ends where the heap ends, at the latest: copying up to there copies all of it, and
// more.
static void* resize(void* block, size_t size) {
  const size_t at_most = (size_t)((char*)sbrk(0) - (char*)block);
  return move(block, at_most, size);
}

static void for_each_lock(void (*act)(Lock*)) {
  act(&heap_lock);
}
