// N mmap calls, no more than 1000 of them mapped at a time (vm.max_map_count is 65530).
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kAlive = 1000, kPage = 4096 };

int main(int argc, char** argv) {
  static char* ring[kAlive];
  const long count = argc > 1 ? atol(argv[1]) : 200000;
  for (long i = 0; i < count; ++i) {
    char** slot = &ring[i % kAlive];
    if (*slot != NULL && munmap(*slot, kPage) != 0) return 1;
    // Alternating protections keep neighbours from merging.
    *slot = mmap(NULL, kPage, i % 2 == 0 ? PROT_READ : PROT_READ | PROT_WRITE,
                 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (*slot == MAP_FAILED) return 2;
  }
  printf("mmap calls: %ld\n", count);
  return 0;
}
