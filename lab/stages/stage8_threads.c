// Stage 8: thread caches and arenas. Threads need not wait for each other.
//
// What it teaches: a thread that keeps a few of the chunks that it freed can use them again without
// a lock, for nobody else knows them. For the rest there are several heaps (arenas), each with its
// lock; a thread that begins takes the next in turn. A block may be freed by any thread, so each
// chunk says whose it is: its arena's number is in two more of the unused bits of its size.
//
//    thread 1     thread 2     thread 3 …       caches: no lock
//   ┌────┴────┐  ┌────┴────┐  ┌────┴────┐
//   │ 32 → 32 │  │ 48      │  │         │       a list for each exact size
//   └────┬────┘  └────┬────┘  └────┬────┘
//    arena 0      arena 1      arena 2 …        a lock, bins and a top chunk each
//        └────────────┼────────────┘
//             program break                     one, with a lock; arenas buy in turn
//
// Invariants, of every chunk c of an arena and the next chunk n:
//   block(c) = c + 16,    c mod 16 = size(c) mod 16 = 0
//   usable(c) = size(c) - 16 >= what was asked for
//   c + size(c) = n,      size(c) >= 32 = header + links
//   size_before(n) = size(c); it is 0 where the heap begins, or begins anew
//   c and n are not both free,    arena(c) = arena(n) but where n is a fence
//   c is in bin(size(c)) of arena(c) once if it is free and not the top, else never
//   top = the free chunk c with n = fence, or NULL;    bit i of occupied = bin i is not empty
//   c is in one cache at most, and not free then; chunks in a list of a cache <= 32
// of every mapped chunk m, when it is made:
//   m mod 4096 = size(m) mod 4096 = 0,    size(m) >= 128 KiB
//
// What it does badly: memory. What one thread's cache or arena has is of no use to another.
// And none but large blocks goes back to the kernel: `habits many` has 6.9 MiB resident when it has
// freed everything, on glibc's malloc 3.8 MiB.
#include <stdatomic.h>
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
enum { kMmapThresholdBytes = 128 * 1024, kStockBytes = 128 * 1024 };
enum { kArenas = 4, kArenaShift = 2, kCachedChunks = 32 };
enum { kBins = 64, kExactBins = 32 };  // the exact ones: a multiple of 16 each

typedef struct {
  Lock lock;
  uint64_t occupied;   // a bit for each bin
  Chunk* bins[kBins];  // the lists
  Chunk* top;          // the free chunk before the fence
  Chunk* fence;        // where the heap ends
} Heap;

static Heap arenas[kArenas] = {{.lock = PTHREAD_MUTEX_INITIALIZER},
                               {.lock = PTHREAD_MUTEX_INITIALIZER},
                               {.lock = PTHREAD_MUTEX_INITIALIZER},
                               {.lock = PTHREAD_MUTEX_INITIALIZER}};
static Lock break_lock = PTHREAD_MUTEX_INITIALIZER;  // taken after an arena's

typedef struct {
  Heap* arena;
  bool emptied_at_end;       // when the thread ends
  Chunk* lists[kExactBins];  // by size, as the bins
  unsigned counts[kExactBins];
} ThreadCache;

static _Thread_local ThreadCache cache;

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

static Heap* arena_of(const Chunk* chunk) {
  return &arenas[(chunk->size & kFlags) >> kArenaShift];
}

// Of a chunk that is on no list: how long it is, at both its ends, and whose.
static void set_size(Heap* heap, Chunk* chunk, size_t size) {
  chunk->size = size | (size_t)(heap - arenas) << kArenaShift;
  after(chunk)->size_before = size;
}

static size_t bin_of(size_t size) {
  if (size < kExactBins * kAlignment) return size / kAlignment;
  const size_t doublings = 63 - (size_t)__builtin_clzl(size / (kExactBins * kAlignment));
  return doublings < kBins - kExactBins ? kExactBins + doublings : kBins - 1;
}

static void link_chunk(Heap* heap, Chunk* chunk) {
  chunk->size |= kFree;
  if (after(chunk) == heap->fence) {
    heap->top = chunk;
    return;
  }
  const size_t bin = bin_of(size_of(chunk));
  chunk->previous = NULL;
  chunk->next = heap->bins[bin];
  if (chunk->next != NULL) chunk->next->previous = chunk;
  heap->bins[bin] = chunk;
  heap->occupied |= (uint64_t)1 << bin;
}

static void unlink_chunk(Heap* heap, Chunk* chunk) {
  chunk->size &= ~(size_t)kFree;
  if (chunk == heap->top) {
    heap->top = NULL;
    return;
  }
  const size_t bin = bin_of(size_of(chunk));
  if (chunk->next != NULL) chunk->next->previous = chunk->previous;
  if (chunk->previous != NULL) chunk->previous->next = chunk->next;
  if (chunk == heap->bins[bin]) heap->bins[bin] = chunk->next;
  if (heap->bins[bin] == NULL) heap->occupied &= ~((uint64_t)1 << bin);
}

// Joins a chunk that is on no list with the free ones on both its sides.
static Chunk* coalesce(Heap* heap, Chunk* chunk) {
  Chunk* next = after(chunk);
  if (has(next, kFree)) {
    unlink_chunk(heap, next);
    set_size(heap, chunk, size_of(chunk) + size_of(next));
  }
  Chunk* previous = before(chunk);
  if (previous == chunk || !has(previous, kFree)) return chunk;
  unlink_chunk(heap, previous);
  set_size(heap, previous, size_of(previous) + size_of(chunk));
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
  set_size(heap, rest, rest_size);
  set_size(heap, chunk, size);
  put(heap, rest);
}

// First fit, from the first bin on in which there may be one; at last the top chunk. NULL: no free
// chunk is long enough.
static Chunk* take(Heap* heap, size_t size) {
  const size_t first = bin_of(size);
  for (uint64_t bins = heap->occupied >> first << first; bins != 0; bins &= bins - 1) {
    for (Chunk* chunk = heap->bins[__builtin_ctzl(bins)]; chunk != NULL; chunk = chunk->next) {
      if (size_of(chunk) < size) continue;
      unlink_chunk(heap, chunk);
      return chunk;
    }
  }
  Chunk* top = heap->top;
  if (top == NULL || size_of(top) < size) return NULL;
  unlink_chunk(heap, top);
  return top;
}

// A fresh chunk, from the kernel: where the fence was, with a new fence behind it. Where somebody
// else has moved the break meanwhile, the heap begins anew behind that.
static Chunk* grow(Heap* heap, size_t size) {
  size += kStockBytes;
  lock(&break_lock);
  const uintptr_t heap_end = (uintptr_t)sbrk(0);
  const bool joins = heap->fence != NULL && heap_end == (uintptr_t)block_of(heap->fence);
  Chunk* chunk = joins ? heap->fence : (Chunk*)round_up(heap_end, kAlignment);
  const uintptr_t new_end = (uintptr_t)chunk + size + kHeaderBytes;
  const bool grown = sbrk((intptr_t)(new_end - heap_end)) != (void*)-1;
  unlock(&break_lock);
  if (!grown) return NULL;
  if (!joins) chunk->size_before = 0;
  set_size(heap, chunk, size);
  Chunk* old_top = heap->top;
  heap->fence = after(chunk);
  heap->fence->size = kHeaderBytes;
  if (!joins && old_top != NULL) {  // a free chunk like any other from now on
    heap->top = NULL;
    link_chunk(heap, old_top);
  }
  return coalesce(heap, chunk);
}

// ── Thread caches ───────────────────────────────────────────────────────────────────────────────

static pthread_key_t end_key;
static bool has_end_key;

static void return_to_arena(Chunk* chunk) {
  Heap* heap = arena_of(chunk);
  lock(&heap->lock);
  put(heap, chunk);
  unlock(&heap->lock);
}

static void empty_cache(void* unused) {
  (void)unused;
  cache.emptied_at_end = false;  // what comes later has to say so again
  for (size_t bin = 0; bin < kExactBins; ++bin) {
    while (cache.lists[bin] != NULL) {
      Chunk* chunk = cache.lists[bin];
      cache.lists[bin] = chunk->next;
      return_to_arena(chunk);
    }
    cache.counts[bin] = 0;
  }
}

__attribute__((constructor)) static void watch_threads(void) {
  has_end_key = pthread_key_create(&end_key, empty_cache) == 0;
}

static bool keep(Chunk* chunk) {
  const size_t bin = bin_of(size_of(chunk));
  if (bin >= kExactBins || cache.counts[bin] == kCachedChunks) return false;
  if (!cache.emptied_at_end && has_end_key) {
    cache.emptied_at_end = true;
    pthread_setspecific(end_key, &cache);  // may allocate
  }
  chunk->next = cache.lists[bin];
  cache.lists[bin] = chunk;
  ++cache.counts[bin];
  return true;
}

static Chunk* take_kept(size_t size) {
  const size_t bin = bin_of(size);
  if (bin >= kExactBins || cache.lists[bin] == NULL) return NULL;
  Chunk* chunk = cache.lists[bin];
  cache.lists[bin] = chunk->next;
  --cache.counts[bin];
  return chunk;
}

static Heap* arena_of_this_thread(void) {
  static atomic_uint threads;
  if (cache.arena == NULL) cache.arena = &arenas[atomic_fetch_add(&threads, 1) % kArenas];
  return cache.arena;
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
  Chunk* kept = take_kept(needed);
  if (kept != NULL) return block_of(kept);
  Heap* heap = arena_of_this_thread();
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
  if (!keep(chunk)) return_to_arena(chunk);
}

static void* resize(void* block, size_t size) {
  Chunk* chunk = chunk_of(block);
  const size_t needed = chunk_size(size);
  if (has(chunk, kMapped)) return or_null(remap(chunk, needed));
  if (needed > size_of(chunk)) return move(block, usable_size(block), size);
  Heap* heap = arena_of(chunk);
  lock(&heap->lock);
  trim(heap, chunk, needed);
  unlock(&heap->lock);
  return block;
}

static void for_each_lock(void (*act)(Lock*)) {
  for (size_t i = 0; i < kArenas; ++i) act(&arenas[i].lock);
  act(&break_lock);
}
