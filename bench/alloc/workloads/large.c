// large cycles|mixed COUNT: buffers as codecs, compilers and databases use them.
//   cycles  64 KiB to 4 MiB, each written, read and freed; four at a time
//   mixed   a working set of 200 blocks of 16 KiB to 1 MiB, with small objects made in between
#include "work.h"

enum { kCycleSlots = 4, kMixedSlots = 200, kSmallSlots = 20000, kSmallPerLarge = 40 };

static void* replace(void** slot, size_t bytes, uint32_t number, uint64_t* sum) {
  *sum += block_free(*slot);
  return *slot = block_new(bytes, number);
}

static uint64_t run_cycles(long count) {
  const Sizes sizes = sizes_between(64 << 10, 4 << 20);
  void* slots[kCycleSlots] = {NULL};
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const size_t bytes = random_size(&sizes, &random);
    const uint64_t dice = random_next(&random);
    replace(&slots[(dice >> 32) % kCycleSlots], bytes, (uint32_t)dice, &sum);
  }
  for (int i = 0; i < kCycleSlots; ++i) sum += block_free(slots[i]);
  return sum;
}

static uint64_t run_mixed(long count) {
  const Sizes large_sizes = sizes_between(16 << 10, 1 << 20);
  const Sizes small_sizes = sizes_between(16, 1024);
  static void* large[kMixedSlots];
  static void* small[kSmallSlots];
  uint64_t random = 1;
  uint64_t sum = 0;
  for (long i = 0; i < count; ++i) {
    const size_t bytes = random_size(&large_sizes, &random);
    const uint64_t dice = random_next(&random);
    replace(&large[(dice >> 32) % kMixedSlots], bytes, (uint32_t)dice, &sum);
    for (int j = 0; j < kSmallPerLarge; ++j) {
      const size_t small_bytes = random_size(&small_sizes, &random);
      replace(&small[random_below(&random, kSmallSlots)], small_bytes, (uint32_t)dice, &sum);
    }
  }
  for (int i = 0; i < kMixedSlots; ++i) sum += block_free(large[i]);
  for (int i = 0; i < kSmallSlots; ++i) sum += block_free(small[i]);
  return sum;
}

int main(int argc, char** argv) {
  const long count = argument(argc, argv, 2);
  const int mixed = strcmp(argv[1], "mixed") == 0;
  report_sum("large", mixed ? run_mixed(count) : run_cycles(count));
  return 0;
}
