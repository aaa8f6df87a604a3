// malloc_trim, mallopt, mallinfo, mallinfo2, malloc_stats, malloc_info: callable at any time, and
// what they say has to do with what was allocated. Prints malloc_info's XML for the runner to
// parse.
#include <errno.h>
#include <malloc.h>
#include <sys/mman.h>

#include "probe.h"

enum { kCount = 2000, kSize = 5000 };
static void* blocks[kCount];

static size_t in_use(void) {
  const struct mallinfo2 info = mallinfo2();
  return info.uordblks + info.hblkhd;
}

static void check_mallinfo(void) {
  const size_t before = in_use();
  for (size_t i = 0; i < kCount; ++i) blocks[i] = malloc(kSize);
  void* large = malloc(64 * MIB);
  const size_t during = in_use();
  EXPECT_NUMBERS(during, >=, before + (size_t)kCount * kSize + 64 * MIB);
  EXPECT_NUMBERS(during, <, before + 2 * ((size_t)kCount * kSize + 64 * MIB));
  free(large);
  for (size_t i = 0; i < kCount; ++i) free(blocks[i]);
  EXPECT_NUMBERS(in_use(), <, before + (size_t)kCount * kSize);
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wdeprecated-declarations"
  const struct mallinfo old = mallinfo();
#pragma GCC diagnostic pop
  EXPECT_NUMBERS(old.uordblks, >=, 0);
}

static void check_mallopt(void) {
  EXPECT_NUMBERS(mallopt(M_MMAP_THRESHOLD, 128 * 1024), ==, 1);
  EXPECT_NUMBERS(mallopt(M_TRIM_THRESHOLD, 128 * 1024), ==, 1);
  EXPECT_NUMBERS(mallopt(M_TOP_PAD, 128 * 1024), ==, 1);
  EXPECT_NUMBERS(mallopt(M_MMAP_MAX, 65536), ==, 1);
  EXPECT_NUMBERS(mallopt(M_ARENA_MAX, 4), ==, 1);
  mallopt(M_PERTURB, 0);
  mallopt(M_CHECK_ACTION, 3);
  mallopt(12345, 1);
}

// What malloc_stats writes to standard error.
static void check_stats(void) {
  const int memory = memfd_create("stats", MFD_CLOEXEC), kept = dup(STDERR_FILENO);
  EXPECT(memory >= 0 && kept >= 0);
  fflush(stderr);
  dup2(memory, STDERR_FILENO);
  malloc_stats();
  fflush(stderr);
  dup2(kept, STDERR_FILENO);
  EXPECT_NUMBERS(lseek(memory, 0, SEEK_END), >, 20);
  close(memory);
  close(kept);
}

int main(void) {
  check_mallinfo();
  check_mallopt();
  check_stats();
  void* block = malloc(10 * MIB);
  memset(block, 1, 10 * MIB);
  free(block);
  const int trimmed = malloc_trim(0);
  EXPECT(trimmed == 0 || trimmed == 1);
  EXPECT(malloc_trim(64 * MIB) <= 1);
  EXPECT_NUMBERS(malloc_info(1, stdout), !=, 0);
  EXPECT_NUMBERS(malloc_info(0, stdout), ==, 0);
  fflush(stdout);
  return ok();
}
