// What the kernel charges a cgroup for, after malloc_trim(0), is what the process has: also where
// huge pages lost a part. One block in ten stays, chosen at random.
//   charged FILE, which says in bytes what the cgroup, with this process alone in it, is charged
//   for
#include <malloc.h>

#include "probe.h"

enum { kBlocks = 2000, kBytes = 50000 };
static void* blocks[kBlocks];

static size_t charged_bytes(const char* path) {
  char text[32] = "";
  const int fd = open(path, O_RDONLY | O_CLOEXEC);
  EXPECT_SAYING(fd >= 0, "%s", path);
  EXPECT(read(fd, text, sizeof text - 1) > 0);
  close(fd);
  return strtoul(text, NULL, 10);
}

int main(int argc, char** argv) {
  EXPECT(argc == 2);
  for (size_t i = 0; i < kBlocks; ++i) {
    blocks[i] = malloc(kBytes);
    EXPECT(blocks[i] != NULL);
    memset(blocks[i], 1, kBytes);
  }
  uint64_t random = 1;
  for (size_t i = 0; i < kBlocks; ++i) {
    if (random_below(&random, 10) != 0) free(blocks[i]);
  }
  malloc_trim(0);
  const size_t rss = rss_bytes();
  EXPECT_NUMBERS(rss, <=, 30 * MIB);
  EXPECT_NUMBERS(charged_bytes(argv[1]), <=, rss + rss / 4 + 4 * MIB);
  return ok();
}
