// A program that locks its memory, as those with keys or deadlines do (mlockall): the kernel then
// refuses to drop pages, and brings those of a new mapping at once.
#include <malloc.h>
#include <sys/mman.h>

#include "workload.h"

static bool can_lock(size_t bytes) {
  if (mlockall(MCL_CURRENT | MCL_FUTURE) != 0) return false;
  void* tried = mmap(NULL, bytes, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  return tried != MAP_FAILED && munmap(tried, bytes) == 0;
}

int main(void) {
  if (!can_lock(256 * MIB)) skip("this process may not lock so much memory");
  const size_t before = rss_bytes();
  static Workload load;
  load.random = 31;
  for (unsigned round = 0; round < 40; ++round) {
    workload_run(&load, 2000);
    malloc_trim(0);
    unsigned char* zeros = calloc(3, MIB);
    EXPECT(zeros != NULL);
    check_zero(zeros, 3 * MIB);
    memset(zeros, 1, 3 * MIB);
    free(zeros);
  }
  EXPECT_NUMBERS(load.refused, ==, 0);

  // As large as is moved by its pages, not by its bytes.
  unsigned char* block = malloc(10 * MIB);
  EXPECT(block != NULL);
  fill(block, 10 * MIB, 7);
  for (size_t size = 20 * MIB; size <= 40 * MIB; size += 10 * MIB) {
    free(calloc(1, 300 * KIB));
    block = realloc(block, size);
    EXPECT(block != NULL);
    check_filled(block, 10 * MIB, 9 * MIB, 7);
  }
  free(block);
  workload_end(&load);
  EXPECT_SAYING(rss_bytes() < before + 256 * MIB, "%zu MiB more are resident",
                (rss_bytes() - before) / MIB);
  return ok();
}
