// pairs COUNT: so many mallocs and frees, in turn.
#include <stdlib.h>

static void* volatile block;

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 1;
  for (long i = 0; i < count; ++i) {
    block = malloc(16);
    free(block);
  }
  return 0;
}
