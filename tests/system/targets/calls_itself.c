// An allocator as they are written first: its functions call each other by the names that programs
// call them by, and it maps its memory inside of them.
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

enum { kHeader = 64, kPiece = 1 << 20 };

static _Thread_local char* rest __attribute__((tls_model("initial-exec")));
static _Thread_local size_t rest_bytes __attribute__((tls_model("initial-exec")));

void* memalign(size_t alignment, size_t bytes);

// The block's size is in front of it. What is freed is not used again.
void* memalign(size_t alignment, size_t bytes) {
  const size_t needed = bytes + alignment + kHeader;
  if (needed < bytes) return NULL;
  if (needed > rest_bytes) {
    const size_t piece = needed > kPiece ? needed : kPiece;
    void* memory = mmap(NULL, piece, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) return NULL;
    rest = memory;
    rest_bytes = piece;
  }
  const size_t skipped = kHeader + (-((uintptr_t)rest + kHeader) & (alignment - 1));
  char* block = rest + skipped;
  memcpy(block - sizeof bytes, &bytes, sizeof bytes);
  rest += skipped + bytes;
  rest_bytes -= skipped + bytes;
  return block;
}

void free(void* block) {
  (void)block;
}

void* malloc(size_t bytes) {
  return memalign(16, bytes);
}

// Not seen through: the compiler would make a call of calloc of it.
static void* (*volatile ask)(size_t) = malloc;

void* calloc(size_t count, size_t bytes) {
  size_t all = 0;
  if (__builtin_mul_overflow(count, bytes, &all)) return NULL;
  void* block = ask(all);
  return block != NULL ? memset(block, 0, all) : NULL;
}

void* realloc(void* block, size_t bytes) {
  if (block == NULL) return malloc(bytes);
  void* moved = malloc(bytes);
  if (moved == NULL) return NULL;
  size_t held = 0;
  memcpy(&held, (char*)block - sizeof held, sizeof held);
  memcpy(moved, block, held < bytes ? held : bytes);
  free(block);
  return moved;
}

void* aligned_alloc(size_t alignment, size_t bytes) {
  return memalign(alignment, bytes);
}

int posix_memalign(void** block, size_t alignment, size_t bytes) {
  *block = memalign(alignment, bytes);
  return *block != NULL ? 0 : ENOMEM;
}

void* valloc(size_t bytes);

void* valloc(size_t bytes) {
  return memalign(4096, bytes);
}
