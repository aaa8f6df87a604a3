// A program whose heap is as large at the end as at the beginning, after thousands of rounds in
// which the sizes change and some blocks outlive their round, must not have grown meanwhile.
//   steady [--rounds N]
#include "probe.h"

enum { kPins = 4000, kMost = 3000 };
static void* pins[kPins];  // a ring: each lives for some hundred rounds
static void* blocks[kMost];

// One size after the other, or a mixture: what fits one round is in the way of the next.
static size_t size_for(size_t round, uint64_t* random) {
  static const size_t kSizes[] = {16, 48, 100, 520, 1000, 3000, 9000, 33000, 140000};
  const size_t kind = round % 10;
  return kind == 9 ? 1 + random_size(random, 15) : kSizes[kind] + random_below(random, 8);
}

static void run(size_t first, size_t rounds) {
  static size_t pin;
  uint64_t random = first;
  for (size_t round = first; round < first + rounds; ++round) {
    const size_t budget = 2 * MIB;
    size_t count = 0;
    for (size_t total = 0; total < budget && count < kMost; ++count) {
      const size_t size = size_for(round, &random);
      total += size;
      blocks[count] = malloc(size);
      EXPECT(blocks[count] != NULL);
      memset(blocks[count], 1, size < 4096 ? size : 4096);
    }
    for (size_t i = 0; i < count; ++i) {
      if (i % 100 == 17 && count > 100) {
        free(pins[pin % kPins]);
        pins[pin++ % kPins] = blocks[i];
      } else {
        free(blocks[i]);
      }
    }
  }
}

// The dynamic threshold of glibc and the like settle during the first rounds.
int main(int argc, char** argv) {
  const size_t rounds = option(argc, argv, "--rounds", 6000);
  run(0, rounds / 2);
  const size_t before = peak_rss_bytes();
  run(rounds / 2, rounds / 2);
  EXPECT_NUMBERS(peak_rss_bytes(), <=, before + before / 10 + MIB);
  EXPECT_NUMBERS(before, <=, 100 * MIB);
  return ok();
}
