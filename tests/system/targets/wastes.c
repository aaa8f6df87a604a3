/* Has memory that it makes little use of, and prints how much:

     wastes blocks BYTES COUNT   COUNT blocks of BYTES, and what the allocator says that it gave
     wastes pool MIB HOW         one block, of which it then writes to every page, to one in 32, or
                                 reads a file into it: HOW is "all", "few" or "read" */
#include <fcntl.h>
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <unistd.h>

enum { kPage = 4096, kFew = 32 };
enum { kSeenMicroseconds = 50000 };  // whoever samples every 10 ms has seen it

static void** kept;

__attribute__((noinline)) static void* one_block(size_t bytes) {
  return malloc(bytes);
}

__attribute__((noinline)) static char* make_pool(size_t bytes) {
  return malloc(bytes);
}

static int make_blocks(size_t bytes, size_t count) {
  size_t usable = 0;
  kept = calloc(count, sizeof *kept);
  if (kept == NULL) return 1;
  for (size_t i = 0; i < count; ++i) {
    kept[i] = one_block(bytes);
    if (kept[i] == NULL) return 1;
    usable += malloc_usable_size(kept[i]);
  }
  printf("requested: %zu\nusable: %zu\n", bytes * count, usable);
  for (size_t i = 0; i < count; ++i) free(kept[i]);
  free(kept);
  return 0;
}

static int use_pool(size_t bytes, const char* how) {
  char* const pool = make_pool(bytes);
  if (pool == NULL) return 1;
  size_t touched = 0;
  if (strcmp(how, "read") == 0) {
    const int file = open("/dev/zero", O_RDONLY);
    if (file < 0 || read(file, pool, bytes) != (ssize_t)bytes) return 1;
    touched = bytes;
  } else {
    const size_t step = strcmp(how, "few") == 0 ? (size_t)kPage * kFew : kPage;
    for (size_t at = 0; at < bytes; at += step, touched += kPage) ((volatile char*)pool)[at] = 1;
  }
  printf("pool: %zu\ntouched: %zu\n", bytes, touched);
  usleep(kSeenMicroseconds);
  free(pool);
  return 0;
}

int main(int count, char** words) {
  prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0); /* a huge page is one fault */
  if (count < 4) return 2;
  const size_t number = strtoul(words[2], NULL, 10);
  if (strcmp(words[1], "blocks") == 0) return make_blocks(number, strtoul(words[3], NULL, 10));
  return use_pool(number << 20, words[3]);
}
