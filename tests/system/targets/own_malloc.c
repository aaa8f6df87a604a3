// A program with a malloc of its own, as some browsers have: at its beginning it maps pages, by the
// C library's function, while it holds a lock that its thread may not take twice. Blocks are never
// reused.
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kArenaBytes = 16 << 20, kAligned = 16 };

static volatile int locked;
static char* next_block;
static char* arena_end;

static void lock(void) {
  while (__atomic_exchange_n(&locked, 1, __ATOMIC_ACQUIRE) != 0) {
  }
}

static void unlock(void) {
  __atomic_store_n(&locked, 0, __ATOMIC_RELEASE);
}

void* malloc(size_t bytes) {
  const size_t whole = (bytes + 2 * kAligned - 1) / kAligned * kAligned;  // its size is before it
  void* block = NULL;
  lock();
  if (next_block == NULL) {
    next_block =
        mmap(NULL, kArenaBytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    arena_end = next_block + kArenaBytes;
  }
  if (whole < (size_t)(arena_end - next_block)) {
    block = next_block + kAligned;
    memcpy(next_block, &bytes, sizeof bytes);
    next_block += whole;
  }
  unlock();
  return block;
}

void free(void* block) {
  (void)block;
}

void* calloc(size_t count, size_t bytes) {
  return malloc(count * bytes);  // pages are zero, and no block is used twice
}

void* realloc(void* block, size_t bytes) {
  void* const moved = malloc(bytes);
  if (block == NULL || moved == NULL) return moved;
  size_t before = 0;
  memcpy(&before, (char*)block - kAligned, sizeof before);
  return memcpy(moved, block, before < bytes ? before : bytes);
}

// Before any library's constructor, as where a library asks for a block in its own.
static void ask_early(void) {
  free(malloc(1));
}
__attribute__((section(".preinit_array"), used)) static void (*const early)(void) = ask_early;

int main(void) {
  char* volatile text = malloc(100);
  snprintf(text, 100, "%d blocks of its own", 3);
  puts(text);
  return text == NULL;
}
