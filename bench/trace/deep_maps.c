// Makes N memory system calls, mmap and munmap in turn, each from D calls below main.
#include <stdlib.h>
#include <sys/mman.h>

enum { kPage = 4096 };

static void* volatile mapped;

__attribute__((noinline)) static int descend(int depth) {
  if (depth > 1) return descend(depth - 1) + 1;
  if (mapped == NULL) {
    mapped = mmap(NULL, kPage, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    return mapped == MAP_FAILED;
  }
  const int failed = munmap(mapped, kPage);
  mapped = NULL;
  return failed;
}

int main(int argc, char** argv) {
  const long count = argc > 1 ? atol(argv[1]) : 100000;
  const int depth = argc > 2 ? atoi(argv[2]) : 12;
  for (long i = 0; i < count; ++i) descend(depth);
  return 0;
}
