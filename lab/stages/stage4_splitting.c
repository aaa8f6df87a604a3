// Stage 4: splitting. Of a free chunk that is too long only what is needed is taken.
//
// What it teaches: a chunk can be cut in two wherever the rest can hold a header and a link. The
// first part goes to the program, the rest stays free. realloc cuts as well, to make a block
// shorter.
//
//           ├────┬──────┬──────┬────────────────────────────────────┤
//   before  │    │ size │ next │                                    │  one free chunk
//           ├────┬──────┬──────┴──────────┬────┬──────┬──────┬──────┤
//   after   │    │ size │ block           │    │ size │ next │      │  one in use, one free
//           └────┴──────┴─────────────────┴────┴──────┴──────┴──────┘
//
// Invariants, of every chunk c and the next chunk n:
//   block(c) = c + 16,    c mod 16 = size(c) mod 16 = 0
//   usable(c) = size(c) - 16 >= what was asked for
//   c + size(c) <= n,     size(c) >= 32 = header + link, rounded up
//   c is on the list once if it was freed, else never
//   of a split:           size before = size(first) + size(rest)
//
// What it does badly: what was cut stays cut. Memory that was freed in short pieces is of no use to
// a longer request, even where the pieces lie side by side.
// `habits longer`, 256 KiB in blocks of 64 bytes, then of 128 bytes, and so on up to 64 KiB:
// 4.1 MiB and 8,228 system calls; from stage 5 on 1.5 MiB. And the more pieces, the longer a
// search: a program that frees much may take minutes here.
#include "family.h"

static const bool kHasHeaders = true;

typedef struct Chunk {
  size_t unused;
  size_t size;         // of the whole chunk, in bytes
  struct Chunk* next;  // of a free chunk, where its block was
} Chunk;

enum { kHeaderBytes = offsetof(Chunk, next), kMinChunkBytes = 32 };

typedef struct {
  Lock lock;
  Chunk* free;  // the list
} Heap;

static Heap the_heap = {.lock = PTHREAD_MUTEX_INITIALIZER};

static void* block_of(Chunk* chunk) {
  return (char*)chunk + kHeaderBytes;
}

static Chunk* chunk_of(const void* block) {
  return (Chunk*)((uintptr_t)block - kHeaderBytes);
}

static size_t chunk_size(size_t request) {
  const size_t size = round_up(kHeaderBytes + request, kAlignment);
  return size < kMinChunkBytes ? kMinChunkBytes : size;
}

static void put(Heap* heap, Chunk* chunk) {
  chunk->next = heap->free;
  heap->free = chunk;
}

// Cuts off what the chunk has beyond `size`, if that is enough for a chunk, and frees it.
static void trim(Heap* heap, Chunk* chunk, size_t size) {
  const size_t rest_size = chunk->size - size;
  if (rest_size < kMinChunkBytes) return;
  Chunk* rest = (Chunk*)((uintptr_t)chunk + size);
  rest->size = rest_size;
  chunk->size = size;
  put(heap, rest);
}

// First fit. NULL: no free chunk is long enough.
static Chunk* take(Heap* heap, size_t size) {
  for (Chunk** link = &heap->free; *link != NULL; link = &(*link)->next) {
    Chunk* chunk = *link;
    if (chunk->size < size) continue;
    *link = chunk->next;
    return chunk;
  }
  return NULL;
}

// A fresh chunk, from the kernel.
static Chunk* grow(size_t size) {
  const uintptr_t heap_end = (uintptr_t)sbrk(0);
  Chunk* chunk = (Chunk*)round_up(heap_end, kAlignment);
  if (sbrk((intptr_t)((uintptr_t)chunk + size - heap_end)) == (void*)-1) return NULL;
  chunk->size = size;
  return chunk;
}

static void* allocate(size_t size) {
  const size_t needed = chunk_size(size);
  Heap* heap = &the_heap;
  lock(&heap->lock);
  Chunk* chunk = take(heap, needed);
  if (chunk == NULL) chunk = grow(needed);
  if (chunk != NULL) trim(heap, chunk, needed);
  unlock(&heap->lock);
  return chunk == NULL ? NULL : block_of(chunk);
}

static size_t usable_size(const void* block) {
  return chunk_of(block)->size - kHeaderBytes;
}

static void release(void* block) {
  Chunk* chunk = chunk_of(block);
  Heap* heap = &the_heap;
  lock(&heap->lock);
  put(heap, chunk);
  unlock(&heap->lock);
}

static void* resize(void* block, size_t size) {
  Chunk* chunk = chunk_of(block);
  const size_t needed = chunk_size(size);
  if (needed > chunk->size) return move(block, usable_size(block), size);
  Heap* heap = &the_heap;
  lock(&heap->lock);
  trim(heap, chunk, needed);
  unlock(&heap->lock);
  return block;
}

static void for_each_lock(void (*act)(Lock*)) {
  act(&the_heap.lock);
}
