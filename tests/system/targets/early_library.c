// See early.c.
#include <stdlib.h>

extern const char* const allocated_early;
const char* const allocated_early = "in_constructor: 7 7000 7";

static void* volatile kept;

__attribute__((constructor)) static void in_constructor(void) {
  for (int i = 0; i < 7; ++i) kept = malloc(1000);
}
