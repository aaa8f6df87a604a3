/* Built by what pkg-config says. */
#include <minimalloc/minimalloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int main(void) {
  char* block = malloc(minimalloc_good_size(100));
  if (block == NULL) return 1;
  strcpy(block, minimalloc_version());
  puts(block);
  free(block);
  minimalloc_stats stats = {.struct_size = sizeof stats};
  return minimalloc_stats_read(&stats) == 0 && stats.live_count != 0 ? 0 : 1;
}
