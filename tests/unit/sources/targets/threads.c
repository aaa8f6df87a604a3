// 64 threads that map, protect, move and unmap at the same time. Argument: rounds of each.
#include <pthread.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/mman.h>

enum { kThreads = 64, kPage = 4096 };
static int rounds = 50;

static void* work(void* argument) {
  unsigned seed = (unsigned)(uintptr_t)argument;
  for (int i = 0; i < rounds; ++i) {
    size_t size = (size_t)(1 + rand_r(&seed) % 16) * kPage;
    char* p = mmap(0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (p == MAP_FAILED) return argument;
    p[0] = 1;
    if (rand_r(&seed) % 2) mprotect(p, kPage, PROT_READ);
    if (rand_r(&seed) % 3 == 0) {
      char* moved = mremap(p, kPage, 3 * kPage, MREMAP_MAYMOVE);
      if (moved == MAP_FAILED) return argument;
      munmap(moved, 3 * kPage);
      p += moved == p ? 3 * kPage : kPage;
      size -= size > 2 * kPage && moved == p - 3 * kPage ? 3 * kPage : kPage;
      if (size == 0 || size > 16 * kPage) continue;
    }
    if (rand_r(&seed) % 4) munmap(p, size);
  }
  return 0;
}

int main(int argc, char** argv) {
  pthread_t threads[kThreads];
  if (argc > 1) rounds = atoi(argv[1]);
  for (uintptr_t i = 0; i < kThreads; ++i) {
    if (pthread_create(&threads[i], 0, work, (void*)(i + 1)) != 0) return 1;
  }
  for (int i = 0; i < kThreads; ++i) {
    void* failed = 0;
    pthread_join(threads[i], &failed);
    if (failed) return 2;
  }
  return 0;
}
