// The names that programs know (malloc and its family), made of the few functions that a stage
// defines. Every stage includes this file, so that its own file holds its ideas and nothing else:
// the checks of sizes, the errors, the rules of realloc(p, 0) and of alignment are the same in all
// eight, and are here.
#pragma once

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
  kAlignment = 16,    // of every block: what the processor's largest ordinary type needs
  kPageBytes = 4096,  // of the kernel, on x86-64
};

// More than any address space has, and little enough that no sum made of it and a few others
// overflows.
static const size_t kMaxBytes = (size_t)1 << 60;

typedef pthread_mutex_t Lock;

// ── What a stage defines ────────────────────────────────────────────────────────────────────────

// Is the word before each block the stage's? Then its low four bits are never all ones (kMoved,
// below).
static const bool kHasHeaders;

// A block of `size` bytes, 0 < size <= 2 * kMaxBytes, at a multiple of 16. NULL: there is no
// memory.
static void* allocate(size_t size);

// The block with another size, there or elsewhere, with as much of its contents as fits. NULL:
// there is no memory, and the block is as it was.
static void* resize(void* block, size_t size);

// The end of a block.
static void release(void* block);

// How much of the block the program may use: at least what it asked for.
static size_t usable_size(const void* block);

// Calls `act` for each lock of the stage, always in the order in which they are taken.
static void for_each_lock(void (*act)(Lock*));

// ── What a stage may use ────────────────────────────────────────────────────────────────────────

// `unit` is a power of two.
static inline size_t round_up(size_t bytes, size_t unit) {
  return (bytes + unit - 1) & ~(unit - 1);
}

// For resize: a new block, with the first `held` bytes of the old one as far as they fit.
static inline void* move(void* block, size_t held, size_t size) {
  void* moved = allocate(size);
  if (moved == NULL) return NULL;
  memcpy(moved, block, held < size ? held : size);
  release(block);
  return moved;
}

// ── Locks, and what fork does with them ─────────────────────────────────────────────────────────

// fork copies the memory, and one thread. A lock that another thread held would stay locked in the
// child for ever, with the heap half changed. So the thread that forks takes all locks before.
// Until it gives them back, other libraries' fork handlers may run, and allocate: it passes the
// locks that it holds.
static _Thread_local bool this_thread_forks;

static void lock(Lock* which) {
  if (!this_thread_forks) pthread_mutex_lock(which);
}

static void unlock(Lock* which) {
  if (!this_thread_forks) pthread_mutex_unlock(which);
}

static void renew(Lock* which) {
  *which = (Lock)PTHREAD_MUTEX_INITIALIZER;
}

static void before_fork(void) {
  for_each_lock(lock);
  this_thread_forks = true;
}

static void after_fork_in_parent(void) {
  this_thread_forks = false;
  for_each_lock(unlock);
}

static void after_fork_in_child(void) {
  this_thread_forks = false;
  for_each_lock(renew);
}

__attribute__((constructor)) static void watch_forks(void) {
  pthread_atfork(before_fork, after_fork_in_parent, after_fork_in_child);
}

// ── Aligned blocks ──────────────────────────────────────────────────────────────────────────────

// A block that has to begin at a multiple of more than 16 lies inside a longer one. In the word
// before it, where other blocks have their size, stands how far behind the other's start, and a
// mark.
enum { kMoved = 15 };

static size_t* word_before(void* block) {
  return (size_t*)block - 1;
}

static void* align_inside(void* whole, size_t alignment) {
  const size_t moved = round_up((uintptr_t)whole, alignment) - (uintptr_t)whole;
  if (moved == 0) return whole;
  void* block = (char*)whole + moved;
  *word_before(block) = moved | kMoved;
  return block;
}

// The block that an aligned one lies in; any other is one by itself.
static void* whole_of(void* block) {
  const size_t word = kHasHeaders ? *word_before(block) : 0;
  return (word & kMoved) == kMoved ? (char*)block - (word - kMoved) : block;
}

// ── The family ──────────────────────────────────────────────────────────────────────────────────

// What glibc has beyond these (mallinfo, malloc_trim, …) stays glibc's, and tells of its own heap,
// which is empty.

static void* fail(int error) {
  errno = error;
  return NULL;
}

static bool is_power_of_two(size_t number) {
  return number != 0 && (number & (number - 1)) == 0;
}

// malloc(0) is a block like any other, of its own, in which nothing may be written.
static void* allocate_checked(size_t size, size_t alignment) {
  if (size > kMaxBytes || alignment > kMaxBytes) return fail(ENOMEM);
  const size_t bytes = (size == 0 ? 1 : size) + (alignment > kAlignment ? alignment : 0);
  void* block = allocate(bytes);
  return block == NULL ? fail(ENOMEM) : align_inside(block, alignment);
}

void* malloc(size_t size) {
  return allocate_checked(size, kAlignment);
}

// It is given a block of this allocator, or NULL, and leaves errno as it was.
void free(void* block) {
  const int saved = errno;
  if (block != NULL) release(whole_of(block));
  errno = saved;
}

// C's of 2023, and one from long ago. What they add to free is nothing here.
void free_sized(void* block, size_t size);
void free_aligned_sized(void* block, size_t alignment, size_t size);
void cfree(void* block);

void free_sized(void* block, size_t size) {
  (void)size;
  free(block);
}

void free_aligned_sized(void* block, size_t alignment, size_t size) {
  (void)alignment;
  (void)size;
  free(block);
}

void cfree(void* block) {
  free(block);
}

size_t malloc_usable_size(void* block) {
  if (block == NULL) return 0;
  void* whole = whole_of(block);
  return usable_size(whole) - (size_t)((char*)block - (char*)whole);
}

// A block that was used before is not zero; asking where it comes from would be another idea.
void* calloc(size_t count, size_t size) {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) return fail(ENOMEM);
  void* block = allocate_checked(bytes, kAlignment);
  return block == NULL ? NULL : memset(block, 0, bytes);
}

// What becomes of an aligned block need not be aligned.
void* realloc(void* block, size_t size) {
  if (block == NULL) return malloc(size);
  if (size == 0) {
    free(block);
    return NULL;
  }
  if (size > kMaxBytes) return fail(ENOMEM);
  void* whole = whole_of(block);
  void* resized = whole == block ? resize(block, size) : allocate(size);
  if (resized == NULL) return fail(ENOMEM);
  if (whole != block) {
    const size_t held = malloc_usable_size(block);
    memcpy(resized, block, held < size ? held : size);
    release(whole);
  }
  return resized;
}

void* reallocarray(void* block, size_t count, size_t size) {
  size_t bytes = 0;
  return __builtin_mul_overflow(count, size, &bytes) ? fail(ENOMEM) : realloc(block, bytes);
}

void* aligned_alloc(size_t alignment, size_t size) {
  return is_power_of_two(alignment) ? allocate_checked(size, alignment) : fail(EINVAL);
}

// What is no power of two is rounded up to one, as glibc does.
void* memalign(size_t alignment, size_t size) {
  if (alignment > SIZE_MAX / 2 + 1) return fail(EINVAL);
  size_t power = 1;
  while (power < alignment) power *= 2;
  return allocate_checked(size, power);
}

int posix_memalign(void** result, size_t alignment, size_t size) {
  if (!is_power_of_two(alignment) || alignment < sizeof(void*)) return EINVAL;
  void* block = allocate_checked(size, alignment);
  if (block == NULL) return ENOMEM;
  *result = block;
  return 0;
}

void* valloc(size_t size) {
  return allocate_checked(size, kPageBytes);
}

void* pvalloc(size_t size) {
  return size > kMaxBytes ? fail(ENOMEM) : valloc(round_up(size, kPageBytes));
}
