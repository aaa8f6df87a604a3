// Stage 6: mmap. A large block gets a mapping of its own, and free gives it back to the kernel.
//
// What it teaches: the heap can only be given back from its end. A mapping can go at any time; but
// it costs two system calls, whole pages, and a page fault for each of them, every time. So only
// blocks from a threshold on get one. The kernel can also make a mapping longer, and move it,
// without copying: mremap, for realloc.
//
//   ├──────┬──────┬───────────┬──────┬──────┤     ├──────┬──────┬──────────────┬────┤
//   │ size │ size │ block     │ size │ 16   │     │      │ size │ block        │    │
//   │before│      │           │before│      │     │      │ +2   │              │    │
//   └──────┴──────┴───────────┴──────┴──────┘     └──────┴──────┴──────────────┴────┘
//    the heap, as before       fence               a mapping: one chunk, whole pages
//
// Invariants, of every chunk c of the heap and the next chunk n:
//   block(c) = c + 16,    c mod 16 = size(c) mod 16 = 0
//   usable(c) = size(c) - 16 >= what was asked for
//   c + size(c) = n,      size(c) >= 32 = header + links
//   size_before(n) = size(c); it is 0 where the heap begins, or begins anew
//   c is on the list once if it is free, else never
//   c and n are not both free
// of every mapped chunk m, when it is made:
//   m mod 4096 = size(m) mod 4096 = 0,    size(m) >= 128 KiB
//
// What it does badly: a request that no free chunk can serve has looked at all of them, and then
// asks the kernel for just what it needs.
// `habits many`, 4,000 blocks of many sizes with gaps between them: 6,957 system calls and half a
// second; on stage 7 84 calls and a third of the time.
#include <sys/mman.h>

#include "family.h"

static const bool kHasHeaders = true;

typedef struct Chunk {
  size_t size_before;  // of the chunk before it in memory; 0: there is none
  size_t size;         // of the whole chunk, in bytes, and flags
  struct Chunk* next;  // of a free chunk, where its block was
  struct Chunk* previous;
} Chunk;

enum { kHeaderBytes = offsetof(Chunk, next), kMinChunkBytes = 32 };
enum { kFree = 1, kMapped = 2, kFlags = 15 };
enum { kMmapThresholdBytes = 128 * 1024 };

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

// A large chunk, from the kernel and for it alone.
static Chunk* map(size_t size) {
  size = round_up(size, kPageBytes);
  Chunk* chunk = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (chunk == MAP_FAILED) return NULL;
  chunk->size = size | kMapped;
  return chunk;
}

static Chunk* remap(Chunk* chunk, size_t size) {
  size = round_up(size, kPageBytes);
  chunk = mremap(chunk, size_of(chunk), size, MREMAP_MAYMOVE);
  if (chunk == MAP_FAILED) return NULL;
  chunk->size = size | kMapped;
  return chunk;
}

static void* or_null(Chunk* chunk) {
  return chunk == NULL ? NULL : block_of(chunk);
}

static void* allocate(size_t size) {
  const size_t needed = chunk_size(size);
  if (needed >= kMmapThresholdBytes) return or_null(map(needed));
  Heap* heap = &the_heap;
  lock(&heap->lock);
  Chunk* chunk = take(heap, needed);
  if (chunk == NULL) chunk = grow(heap, needed);
  if (chunk != NULL) trim(heap, chunk, needed);
  unlock(&heap->lock);
  return or_null(chunk);
}

static size_t usable_size(const void* block) {
  return size_of(chunk_of(block)) - kHeaderBytes;
}

static void release(void* block) {
  Chunk* chunk = chunk_of(block);
  if (has(chunk, kMapped)) {
    munmap(chunk, size_of(chunk));
    return;
  }
  Heap* heap = &the_heap;
  lock(&heap->lock);
  put(heap, chunk);
  unlock(&heap->lock);
}

static void* resize(void* block, size_t size) {
  Chunk* chunk = chunk_of(block);
  const size_t needed = chunk_size(size);
  if (has(chunk, kMapped)) return or_null(remap(chunk, needed));
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
