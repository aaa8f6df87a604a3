/* A user of the C interface. */
#include <minimalloc/layout.h>
#include <minimalloc/minimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define EXPECT(condition)                                             \
  do {                                                                \
    if (!(condition)) {                                               \
      fprintf(stderr, "line %d: not so: %s\n", __LINE__, #condition); \
      return 1;                                                       \
    }                                                                 \
  } while (0)

static int count(const minimalloc_block* block, void* context) {
  if (block->state == MINIMALLOC_BLOCK_LIVE) ++*(size_t*)context;
  return 0;
}

int main(void) {
  EXPECT(strcmp(minimalloc_version(), "0.1.0") == 0);
  EXPECT(minimalloc_layout.magic == MINIMALLOC_LAYOUT_MAGIC);

  minimalloc_heap* heap = minimalloc_heap_create("words");
  EXPECT(heap != NULL && minimalloc_heap_find("words") == heap);
  char* word = minimalloc_heap_malloc(heap, 100);
  char* zeros = minimalloc_heap_calloc(heap, 10, 100);
  EXPECT(word != NULL && zeros != NULL && zeros[999] == 0);
  word = realloc(word, 100000);
  EXPECT(minimalloc_heap_of(word) == heap);
  size_t live = 0;
  EXPECT(minimalloc_walk(heap, count, &live) == 0);
  EXPECT(live == 2);

  minimalloc_stats stats = {.struct_size = sizeof stats};
  EXPECT(minimalloc_stats_read(&stats) == 0);
  EXPECT(stats.live_count >= 2 && stats.heap_count == 2);
  free(zeros);
  minimalloc_heap_destroy(heap);
  return 0;
}
