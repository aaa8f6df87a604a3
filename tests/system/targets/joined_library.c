/* What targets/joined loads while it is recorded. */
#include <stdlib.h>

__attribute__((noinline)) void* library_block(size_t size);

void* library_block(size_t size) {
  return malloc(size);
}
