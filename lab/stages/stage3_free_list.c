// Stage 3: free list. What was freed is used again.
//
// What it teaches: free memory is memory that nobody uses, so the allocator may. A list of the free
// chunks needs no space of its own: its links lie where the blocks were. malloc takes the first
// chunk that is long enough (first fit), and asks the kernel only where there is none.
//
//         free list ──────────────┐                 ┌──────────────▶ NULL
//                                 ▼                 │
//   ├────┬──────┬────────────┬────┬──────┬──────┬───│──┬────┬──────┬────────┤
//   │    │ size │ block      │    │ size │ next │   ·  │    │ size │ block  │
//   └────┴──────┴────────────┴────┴──────┴──│───┴──────┴────┴──────┴────────┘
//                             free chunk    └─▶ the next free chunk
//
// Invariants, of every chunk c and the next chunk n:
//   block(c) = c + 16,    c mod 16 = size(c) mod 16 = 0
//   usable(c) = size(c) - 16 >= what was asked for
//   c + size(c) <= n,     size(c) >= 32 = header + link, rounded up
//   c is on the list once if it was freed, else never
//
// What it does badly: a chunk is used again as a whole. A request for 16 bytes that finds one of
// 16 KiB takes all of it.
// `habits shorter`, a mebibyte in blocks of 64 KiB, then of 32 KiB, and so on down to 256 bytes:
// 6.2 MiB and 4,136 system calls; on stage 4 3.2 MiB and 185.
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
  const bool enough = chunk_size(size) <= chunk_of(block)->size;
  return enough ? block : move(block, usable_size(block), size);
}

static void for_each_lock(void (*act)(Lock*)) {
  act(&the_heap.lock);
}
