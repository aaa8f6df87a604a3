// Large blocks of which the program touches little: buffers for the worst case, tables that are
// mostly empty. What it never touched need not be resident, however eagerly memory is made ready.
#include "probe.h"

enum { kMost = 2000 };
static unsigned char* blocks[kMost];

// Blocks of `least` bytes and up, touched at both ends: of all of it a `most_share`th is resident.
static void check(size_t least, size_t total, size_t most_share) {
  const size_t before = rss_bytes();
  uint64_t random = least;
  size_t count = 0, live = 0;
  while (live < total && count < kMost) {
    const size_t size = least + random_below(&random, least);
    unsigned char* block = malloc(size);
    EXPECT(block != NULL);
    block[0] = block[size - 1] = 1;
    blocks[count++] = block;
    live += size;
  }
  EXPECT_SAYING(rss_bytes() < before + live / most_share,
                "%zu KiB more resident for %zu blocks of %zu KiB", (rss_bytes() - before) / KIB,
                count, live / KIB);
  for (size_t i = 0; i < count; ++i) free(blocks[i]);
}

int main(void) {
  check(18 * KIB, 40 * MIB, 2);  // in slabs, mostly
  check(200 * KIB, 256 * MIB, 4);
  check(1 * MIB, 512 * MIB, 4);
  check(8 * MIB, 1 * GIB, 4);
  return ok();
}
