/* The headers are C11's: this compiles, and says what a C program sees. */
#include <minimalloc/layout.h>
#include <minimalloc/minimalloc.h>

#define MINIMALLOC_COUNT(name) +1
_Static_assert(sizeof(minimalloc_stats) ==
                   sizeof(size_t) + (0 MINIMALLOC_STATS_FIELDS(MINIMALLOC_COUNT)) * 8,
               "the structure is its fields");
_Static_assert(sizeof(minimalloc_note) == 16, "the note is what the specification says");

extern int c_header_is_usable(void);
int c_header_is_usable(void) {
  minimalloc_stats stats = {.struct_size = sizeof stats};
  return minimalloc_stats_read(&stats) == 0 && minimalloc_layout.magic == MINIMALLOC_LAYOUT_MAGIC;
}
