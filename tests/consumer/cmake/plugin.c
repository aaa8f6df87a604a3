/* A plugin with the archive inside. */
#include <minimalloc/minimalloc.h>
#include <stddef.h>

int work(void);

int work(void) {
  minimalloc_heap* heap = minimalloc_heap_create("plugin");
  char* block = minimalloc_heap_malloc(heap, 40);
  if (block == NULL) return 1;
  *block = 'x';
  minimalloc_heap_destroy(heap);
  return 0;
}
