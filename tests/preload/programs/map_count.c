// The program uses up nearly all mappings that a process may have (vm.max_map_count): what needs
// another is refused cleanly, what does not works, and free never fails; afterwards all is as
// before.
//   map_count            in between, what is asked for may be refused
//   map_count begin      with one left, a heap begins and grows as it likes
//   map_count grow       with none left, a heap that was there before grows as it likes
#include <sys/mman.h>

#include "workload.h"

#define MOST_MAPPINGS ((size_t)1100000)
static unsigned char* region;
static const size_t kPage = 4096;

// Every second page gets another protection: two mappings more each time.
static size_t use_up_mappings(void) {
  region = mmap(NULL, MOST_MAPPINGS * kPage, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                -1, 0);
  if (region == MAP_FAILED) skip("no 4 GiB of address space");
  for (size_t i = 1; i < MOST_MAPPINGS; i += 2) {
    if (mprotect(region + i * kPage, kPage, PROT_READ) != 0) return i;
  }
  skip("vm.max_map_count is larger than this test can use up");
}

// Leaves room for so many mappings, or one more.
static void leave(size_t spare, size_t* used) {
  for (size_t i = 0; i < spare; i += 2) {
    *used -= 2;
    EXPECT_NUMBERS(mprotect(region + *used * kPage, kPage, PROT_NONE), ==, 0);
  }
}

static void check_all_sizes_work(void) {
  for (size_t size = 1; size <= 64 * MIB; size *= 4) {
    void* block = malloc(size);
    EXPECT_SAYING(block != NULL, "size %zu", size);
    fill(block, size, size);
    block = realloc(block, 2 * size);
    EXPECT_SAYING(block != NULL, "size %zu", 2 * size);
    check_filled(block, size, size, size);
    free(block);
  }
}

// Whatever is mapped next is refused, also what would be part of another mapping.
static void use_up_the_last(void) {
  for (void* page = NULL; page != MAP_FAILED;) {
    page = mmap(NULL, kPage, PROT_READ, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
  }
  EXPECT_NUMBERS(errno, ==, ENOMEM);
}

static void check_heap_grows(void) {
  enum { kBlocks = 4096 };
  static void* blocks[kBlocks];
  uint64_t random = 7;
  for (size_t i = 0; i < kBlocks; ++i) {
    const size_t size = 1 + random_size(&random, i % 64 == 0 ? 21 : 15);
    blocks[i] = malloc(size);
    EXPECT_SAYING(blocks[i] != NULL, "size %zu, %zu blocks before", size, i);
    fill(blocks[i], size, i);
  }
  for (size_t i = 0; i < kBlocks; ++i) free(blocks[i]);
}

int main(int argc, char** argv) {
  static Workload load;
  load.random = 5;
  watchdog(100);
  const char* how = argc > 1 ? argv[1] : "";
  if (strcmp(how, "begin") != 0) workload_run(&load, 3000);
  size_t used = use_up_mappings();
  if (strcmp(how, "grow") == 0) use_up_the_last();
  if (*how != '\0') check_heap_grows();
  const size_t spares[] = {0, 2, 2, 4, 8, 16, 64};
  for (size_t i = 0; i < sizeof spares / sizeof spares[0]; ++i) {
    leave(spares[i], &used);
    workload_run(&load, 3000);
    malloc_trim(0);
  }
  workload_end(&load);
  EXPECT_NUMBERS(munmap(region, MOST_MAPPINGS * kPage), ==, 0);
  check_all_sizes_work();
  return ok();
}
