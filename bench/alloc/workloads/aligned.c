// aligned COUNT: blocks with an alignment: vectors for SIMD (32 and 64 bytes), pages for input and
// output (4096), and a few of 64 KiB and more; among ordinary blocks.
#include "work.h"

enum { kSlots = 3000 };

typedef struct {
  size_t alignment;
  uint32_t smallest, largest;
  uint32_t share;  // of a hundred
} Kind;

static const Kind kKinds[] = {
    {32, 32, 2048, 35},        {64, 64, 8192, 30}, {4096, 4096, 65536, 9},
    {65536, 65536, 131072, 1}, {0, 16, 1024, 25},
};
enum { kKindsCount = sizeof kKinds / sizeof *kKinds };

static void* aligned_new(size_t alignment, size_t bytes, uint32_t number) {
  if (alignment == 0) return block_new(bytes, number);
  void* block;
  if (posix_memalign(&block, alignment, bytes) != 0) fail("posix_memalign failed");
  if ((uintptr_t)block % alignment != 0) fail("a block is not aligned");
  block_stamp(block, bytes, number);
  return block;
}

int main(int argc, char** argv) {
  const long count = argument(argc, argv, 1);
  Sizes sizes[kKindsCount];
  uint32_t kind_of[100];
  uint32_t filled = 0;
  for (uint32_t i = 0; i < kKindsCount; ++i) {
    sizes[i] = sizes_between(kKinds[i].smallest, kKinds[i].largest);
    for (uint32_t j = 0; j < kKinds[i].share; ++j) kind_of[filled++] = i;
  }
  static void* slots[kSlots];
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    void** slot = &slots[random_below(&random, kSlots)];
    const uint32_t kind = kind_of[random_below(&random, 100)];
    sum += block_free(*slot);
    *slot = aligned_new(kKinds[kind].alignment, random_size(&sizes[kind], &random), (uint32_t)i);
  }
  for (int i = 0; i < kSlots; ++i) sum += block_free(slots[i]);
  report_sum("aligned", sum);
  return 0;
}
