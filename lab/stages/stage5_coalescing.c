// Stage 5: coalescing. Free chunks that lie side by side become one.
//
// What it teaches: to join a chunk with its neighbours one has to find them. The next one begins
// where this one ends. The one before is found by a boundary tag: the word of the header that was
// unused says how long it is. The lowest bit of a size, which is a multiple of 16, says whether the
// chunk is free. And since a neighbour leaves the free list from its middle, the list now has links
// in both directions. A fence, a header without a block, ends the heap.
//
//   ├──────┬──────┬──────────┬──────┬──────┬──────┬──────┬─────┬──────┬──────┤
//   │ size │ size │ block    │ size │ size │ next │ pre- │     │ size │ 16   │
//   │before│      │          │before│ +1   │      │vious │     │before│      │
//   └──────┴──────┴──────────┴──────┴──────┴──────┴──────┴─────┴──────┴──────┘
//    chunk in use             free chunk                        fence
//
// Invariants, of every chunk c and the next chunk n:
//   block(c) = c + 16,    c mod 16 = size(c) mod 16 = 0
//   usable(c) = size(c) - 16 >= what was asked for
//   c + size(c) = n,      size(c) >= 32 = header + links
//   size_before(n) = size(c); it is 0 where the heap begins, or begins anew
//   c is on the list once if it is free, else never
//   c and n are not both free
//
// What it does badly: a long block that was freed stays in the heap, whether it will be needed
// again or not: the break cannot go down below a block that is in use.
// `habits large`, 16 blocks of 4 MiB, each with a short one behind it: when the large ones have
// been freed 65.5 MiB are resident; from stage 6 on 1.6 MiB.
#include "family.h"

static const bool kHasHeaders = true;

typedef struct Chunk {
  size_t size_before;  // of the chunk before it in memory; 0: there is none
  size_t size;         // of the whole chunk, in bytes, and flags
  struct Chunk* next;  // of a free chunk, where its block was
  struct Chunk* previous;
} Chunk;

enum { kHeaderBytes = offsetof(Chunk, next), kMinChunkBytes = 32 };
enum { kFree = 1, kFlags = 15 };

typedef struct {
  Lock lock;
  Chunk* free;   // the list
  Chunk* fence;  // where the heap ends
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

static size_t size_of(const Chunk* chunk) {
  return chunk->size & ~(size_t)kFlags;
}

static bool has(const Chunk* chunk, size_t flag) {
  return (chunk->size & flag) != 0;
}

static Chunk* after(Chunk* chunk) {
  return (Chunk*)((uintptr_t)chunk + size_of(chunk));
}

static Chunk* before(Chunk* chunk) {
  return (Chunk*)((uintptr_t)chunk - chunk->size_before);
}

// Of a chunk that is on no list: how long it is, at both its ends.
static void set_size(Chunk* chunk, size_t size) {
  chunk->size = size;
  after(chunk)->size_before = size;
}

static void link_chunk(Heap* heap, Chunk* chunk) {
  chunk->size |= kFree;
  chunk->previous = NULL;
  chunk->next = heap->free;
  if (chunk->next != NULL) chunk->next->previous = chunk;
  heap->free = chunk;
}

static void unlink_chunk(Heap* heap, Chunk* chunk) {
  chunk->size &= ~(size_t)kFree;
  if (chunk->next != NULL) chunk->next->previous = chunk->previous;
  if (chunk->previous != NULL) chunk->previous->next = chunk->next;
  if (chunk == heap->free) heap->free = chunk->next;
}

// Joins a chunk that is on no list with the free ones on both its sides.
static Chunk* coalesce(Heap* heap, Chunk* chunk) {
  Chunk* next = after(chunk);
  if (has(next, kFree)) {
    unlink_chunk(heap, next);
    set_size(chunk, size_of(chunk) + size_of(next));
  }
  Chunk* previous = before(chunk);
  if (previous == chunk || !has(previous, kFree)) return chunk;
  unlink_chunk(heap, previous);
  set_size(previous, size_of(previous) + size_of(chunk));
  return previous;
}

static void put(Heap* heap, Chunk* chunk) {
  link_chunk(heap, coalesce(heap, chunk));
}

// Cuts off what the chunk has beyond `size`, if that is enough for a chunk, and frees it.
static void trim(Heap* heap, Chunk* chunk, size_t size) {
  const size_t rest_size = size_of(chunk) - size;
  if (rest_size < kMinChunkBytes) return;
  Chunk* rest = (Chunk*)((uintptr_t)chunk + size);
  set_size(rest, rest_size);
  set_size(chunk, size);
  put(heap, rest);
}

// First fit. NULL: no free chunk is long enough.
static Chunk* take(Heap* heap, size_t size) {
  for (Chunk* chunk = heap->free; chunk != NULL; chunk = chunk->next) {
    if (size_of(chunk) < size) continue;
    unlink_chunk(heap, chunk);
    return chunk;
  }
  return NULL;
}

// A fresh chunk, from the kernel: where the fence was, with a new fence behind it. Where somebody
// else has moved the break meanwhile, the heap begins anew behind that.
static Chunk* grow(Heap* heap, size_t size) {
  const uintptr_t heap_end = (uintptr_t)sbrk(0);
  const bool joins = heap->fence != NULL && heap_end == (uintptr_t)block_of(heap->fence);
  Chunk* chunk = joins ? heap->fence : (Chunk*)round_up(heap_end, kAlignment);
  const uintptr_t new_end = (uintptr_t)chunk + size + kHeaderBytes;
  if (sbrk((intptr_t)(new_end - heap_end)) == (void*)-1) return NULL;
  if (!joins) chunk->size_before = 0;
  set_size(chunk, size);
  heap->fence = after(chunk);
  heap->fence->size = kHeaderBytes;
  return coalesce(heap, chunk);
}

static void* allocate(size_t size) {
  const size_t needed = chunk_size(size);
  Heap* heap = &the_heap;
  lock(&heap->lock);
  Chunk* chunk = take(heap, needed);
  if (chunk == NULL) chunk = grow(heap, needed);
  if (chunk != NULL) trim(heap, chunk, needed);
  unlock(&heap->lock);
  return chunk == NULL ? NULL : block_of(chunk);
}

static size_t usable_size(const void* block) {
  return size_of(chunk_of(block)) - kHeaderBytes;
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
  if (needed > size_of(chunk)) return move(block, usable_size(block), size);
  Heap* heap = &the_heap;
  lock(&heap->lock);
  trim(heap, chunk, needed);
  unlock(&heap->lock);
  return block;
}

static void for_each_lock(void (*act)(Lock*)) {
  act(&the_heap.lock);
}
