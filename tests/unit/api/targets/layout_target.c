/* A process to be looked at. Makes blocks of every kind, in three threads and two heaps, and writes
 * to standard output, in binary, what the reader shall find; then waits for the end of its standard
 * input.
 *
 *   layout_target quiet   every block, as a walk shows it, with all threads asleep
 *   layout_target busy    blocks that stay; threads go on allocating and freeing others
 */
#include <minimalloc/minimalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

enum { kThreads = 2, kKept = 3000, kMostRows = 1 << 18 };

struct row {
  uint64_t address, usable_bytes;
  uint32_t state, heap, size_class, zero;
};

static struct row* rows;
static size_t row_count;
static atomic_int ready;
static atomic_int stop;

static int add_row(const minimalloc_block* block, void* context) {
  (void)context;
  if (row_count == kMostRows) abort();
  rows[row_count++] = (struct row){.address = (uintptr_t)block->address,
                                   .usable_bytes = block->usable_bytes,
                                   .state = (uint32_t)block->state,
                                   .heap = block->heap_id,
                                   .size_class = block->size_class};
  return 0;
}

static void add_live(void* p) {
  const minimalloc_heap* heap = minimalloc_heap_of(p);
  rows[row_count++] =
      (struct row){.address = (uintptr_t)p, .heap = heap == NULL ? 0 : minimalloc_heap_id(heap)};
}

static void write_all(const void* data, size_t bytes) {
  const char* at = data;
  while (bytes != 0) {
    const ssize_t count = write(STDOUT_FILENO, at, bytes);
    if (count <= 0) exit(3);
    at += count;
    bytes -= (size_t)count;
  }
}

static unsigned next(unsigned* seed) {
  *seed = *seed * 1664525 + 1013904223;
  return *seed >> 8;
}

static size_t some_size(unsigned* seed) {
  const unsigned kind = next(seed) % 100;
  if (kind < 70) return next(seed) % 1000;
  if (kind < 97) return next(seed) % 40000;
  return next(seed) % 3000000;
}

static void churn(unsigned* seed, void** blocks, unsigned count) {
  for (unsigned i = 0; i < count; ++i) {
    const unsigned at = next(seed) % count;
    free(blocks[at]);
    blocks[at] = malloc(some_size(seed));
  }
}

static void* work(void* busy) {
  unsigned seed = (unsigned)(uintptr_t)pthread_self();
  static _Thread_local void* blocks[500];
  churn(&seed, blocks, 500);
  churn(&seed, blocks, 500);
  for (int i = 0; i < 500; i += 3) free(blocks[i]), blocks[i] = NULL;
  ready++;
  while (busy != NULL && !stop) churn(&seed, blocks, 500);
  while (!stop) usleep(1000);
  return NULL;
}

int main(int argc, char** argv) {
  const int busy = argc > 1 && strcmp(argv[1], "busy") == 0;
  rows = mmap(NULL, sizeof *rows * kMostRows, PROT_READ | PROT_WRITE,
              MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  minimalloc_heap* heap = minimalloc_heap_create("second");
  minimalloc_heap* gone = minimalloc_heap_create("gone");
  minimalloc_heap_malloc(gone, 100);
  minimalloc_heap_destroy(gone);
  unsigned seed = 7;
  static void* kept[kKept];
  for (int i = 0; i < kKept; ++i) {
    kept[i] =
        i % 10 == 0 ? minimalloc_heap_malloc(heap, some_size(&seed)) : malloc(some_size(&seed));
  }
  for (int i = 0; i < kKept; i += 4) free(kept[i]), kept[i] = NULL;
  pthread_t threads[kThreads];
  for (int i = 0; i < kThreads; ++i) pthread_create(&threads[i], NULL, work, busy ? &ready : NULL);
  while (ready != kThreads) usleep(1000);
  if (busy) {
    for (int i = 0; i < kKept; ++i) {
      if (kept[i] != NULL) add_live(kept[i]);
    }
  } else if (minimalloc_walk(NULL, add_row, NULL) != 0) {
    return 4;
  } else {
    minimalloc_option_set("RETAIN", "100M");
    free(malloc(500000)); /* is kept whole, and no block */
  }
  const uint64_t count = row_count;
  write_all(&count, sizeof count);
  write_all(rows, row_count * sizeof *rows);
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) continue;
  stop = 1;
  for (int i = 0; i < kThreads; ++i) pthread_join(threads[i], NULL);
  return 0;
}
