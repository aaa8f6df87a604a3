// Makes blocks of every kind on libminimalloc, in three threads and two heaps, says what the
// library's own walk and counters have of them, and stands still until its input ends.
//
// With "abort" it kills itself then, for a core. With "entry", "stack" or "cached" it has damaged
// an entry of the page map, the top of a stack of its thread's cache, or an address in that stack;
// where, it finds by the library's published layout.
#include <minimalloc/layout.h>
#include <minimalloc/minimalloc.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#pragma weak minimalloc_walk
#pragma weak minimalloc_stats_read
#pragma weak minimalloc_heap_create
#pragma weak minimalloc_heap_malloc
#pragma weak minimalloc_layout

enum { THREADS = 2, KEPT = 3000, OF_THREAD = 500, MOST_ROWS = 1 << 17 };

static minimalloc_block* rows;
static size_t row_count;
static atomic_int ready;

static int add_row(const minimalloc_block* block, void* context) {
  (void)context;
  if (row_count == MOST_ROWS) abort();
  rows[row_count++] = *block;
  return 0;
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

static void* work(void* argument) {
  unsigned seed = (unsigned)(uintptr_t)argument + 11;
  static _Thread_local void* blocks[OF_THREAD];
  for (int round = 0; round < 3; ++round) {
    for (int i = 0; i < OF_THREAD; ++i) {
      free(blocks[i]);
      blocks[i] = malloc(some_size(&seed));
    }
  }
  for (int i = 0; i < OF_THREAD; i += 3) free(blocks[i]);
  ready++;
  for (;;) pause();
  return NULL;
}

static void fill(void) {
  minimalloc_heap* heap = minimalloc_heap_create("second");
  unsigned seed = 7;
  static void* kept[KEPT];
  for (int i = 0; i < KEPT; ++i) {
    kept[i] =
        i % 10 == 0 ? minimalloc_heap_malloc(heap, some_size(&seed)) : malloc(some_size(&seed));
  }
  for (int i = 0; i < KEPT; i += 4) free(kept[i]);
  // The allocator keeps them whole for the next of their lengths.
  for (size_t mib = 1; mib <= 3; ++mib) {
    char* const large = malloc(mib << 20);
    memset(large, 1, mib << 20);
    free(large);
  }
}

static const char* read_pointer(const void* at) {
  const char* value;
  memcpy(&value, at, sizeof value);
  return value;
}

/// Where the damage goes.
static char* place(const char* how) {
  const minimalloc_layout_table* const layout = &minimalloc_layout;
  if (strcmp(how, "entry") == 0) return (char*)(uintptr_t)read_pointer(layout->page_map);
  // The first stack of the first cache with a block in it.
  const char* const cache = read_pointer(layout->first_cache);
  for (uint32_t i = 1; i < layout->class_count; ++i) {
    const char* const stack = cache + layout->cache.stacks + i * layout->cache.stack_stride;
    const char* const top = read_pointer(stack + layout->cache.stack_top);
    const char* const limit = read_pointer(stack + layout->cache.stack_limit);
    uint16_t slots;
    memcpy(&slots, cache + layout->cache.capacities + 2 * i, sizeof slots);
    if (top == limit - 8 * slots) continue;
    const char* const found = strcmp(how, "stack") == 0 ? stack + layout->cache.stack_top : top - 8;
    return (char*)(uintptr_t)found;
  }
  abort();
}

static void say(void) {
  minimalloc_stats stats = {.struct_size = sizeof stats};
  if (minimalloc_stats_read(&stats) != 0) abort();
  if (minimalloc_walk(NULL, add_row, NULL) != 0) abort();
#define SAY(name) printf("stats " #name ": %llu\n", (unsigned long long)stats.name);
  MINIMALLOC_STATS_FIELDS(SAY)
  for (size_t i = 0; i < row_count; ++i) {
    printf("block %p %zu %d %u\n", rows[i].address, rows[i].usable_bytes, (int)rows[i].state,
           rows[i].heap_id);
  }
}

int main(int argc, char** argv) {
  static char buffer[1 << 23];
  setvbuf(stdout, buffer, _IOFBF, sizeof buffer);
  const char* const how = argc > 1 ? argv[1] : "";
  if (minimalloc_walk == NULL) {
    printf("no libminimalloc\n");
    return 1;
  }
  rows = mmap(NULL, sizeof *rows * MOST_ROWS, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
              -1, 0);
  fill();
  pthread_t threads[THREADS];
  for (uintptr_t i = 0; i < THREADS; ++i) pthread_create(&threads[i], NULL, work, (void*)i);
  while (ready != THREADS) usleep(1000);
  say();
  if (*how != 0 && strcmp(how, "abort") != 0) {
    char* const where = place(how);
    const uint64_t wrong = UINT64_C(0x4141414141414141);
    printf("damaged: %p\n", (void*)where);
    memcpy(where, &wrong, strcmp(how, "entry") == 0 ? 2 : sizeof wrong);
  }
  printf("ready\n");
  fflush(stdout);
  if (strcmp(how, "abort") == 0) abort();
  char byte;
  while (read(STDIN_FILENO, &byte, 1) > 0) {
  }
  _exit(0);
}
