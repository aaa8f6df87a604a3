// Sets of bits against a set that remembers every bit by itself.
#include "alloc/bits.h"

#include <algorithm>
#include <bitset>
#include <gtest/gtest.h>

#include "support/random.h"

namespace mini::alloc {
namespace {

template <std::uint32_t N>
class Reference {
 public:
  void set_run(BitRun run, bool value) {
    for (std::uint32_t i = 0; i < run.length; ++i) bits_[run.begin + i] = value;
  }
  bool test(std::uint32_t i) const { return bits_[i]; }
  std::uint32_t count_in(BitRun run) const {
    std::uint32_t count = 0;
    for (std::uint32_t i = 0; i < run.length; ++i) count += bits_[run.begin + i] ? 1U : 0U;
    return count;
  }
  std::uint32_t end_of_set(std::uint32_t before) const {
    while (before != 0 && !bits_[before - 1]) --before;
    return before;
  }
  std::uint32_t next(std::uint32_t from, bool value) const {
    while (from < N && bits_[from] != value) ++from;
    return std::min(from, N);
  }

 private:
  std::bitset<N> bits_;
};

template <std::uint32_t N>
void expect_same(const Bits<N>& bits, const Reference<N>& reference) {
  for (std::uint32_t i = 0; i < N; ++i) {
    ASSERT_EQ(bits.test(i), reference.test(i)) << i;
    ASSERT_EQ(bits.next_set(i), reference.next(i, true)) << i;
    ASSERT_EQ(bits.next_clear(i), reference.next(i, false)) << i;
    ASSERT_EQ(bits.end_of_set(i), reference.end_of_set(i)) << i;
    const BitRun clear = bits.next_clear_run(i);
    ASSERT_EQ(clear.begin, reference.next(i, false));
    ASSERT_EQ(clear.begin + clear.length, reference.next(clear.begin, true));
    const BitRun set = bits.next_set_run(i);
    ASSERT_EQ(set.begin, reference.next(i, true));
    ASSERT_EQ(set.begin + set.length, reference.next(set.begin, false));
  }
  ASSERT_EQ(bits.count(), reference.count_in({0, N}));
}

template <std::uint32_t N>
void compare_random_operations() {
  test::Random random(N);
  Bits<N> bits;
  Reference<N> reference;
  for (int step = 0; step < 300; ++step) {
    const std::uint32_t begin = random.below(N);
    // Long runs and short ones, and those that end with the set.
    const std::uint32_t most = N - begin;
    const std::uint32_t length = random.one_in(4) ? most : random.below(most + 1);
    const BitRun run{begin, random.one_in(2) ? length : length % 5};
    if (random.one_in(2)) {
      bits.set_run(run);
      reference.set_run(run, true);
    } else {
      bits.clear_run(run);
      reference.set_run(run, false);
    }
    ASSERT_EQ(bits.count_in(run), reference.count_in(run));
    ASSERT_EQ(bits.any_in(run), reference.count_in(run) != 0);
    ASSERT_NO_FATAL_FAILURE(expect_same(bits, reference)) << "step " << step;
  }
}

TEST(Bits, AgreeWithBitsOneByOne) {
  compare_random_operations<64>();
  compare_random_operations<256>();
  compare_random_operations<512>();
}

TEST(Bits, AgreeWhereTheLastWordIsNotFull) {
  compare_random_operations<1>();
  compare_random_operations<63>();
  compare_random_operations<100>();
}

TEST(Bits, SingleBitsAreSetAndCleared) {
  Bits<256> bits;
  for (const std::uint32_t i : {0U, 63U, 64U, 255U}) {
    bits.set(i);
    EXPECT_TRUE(bits.test(i));
    EXPECT_EQ(bits.next_set(0), i);
    bits.clear(i);
    EXPECT_FALSE(bits.test(i));
  }
  EXPECT_EQ(bits.count(), 0U);
}

TEST(Bits, AnEmptyRunChangesNothing) {
  Bits<64> bits;
  bits.set_run({0, 0});
  bits.set_run({64, 0});
  EXPECT_EQ(bits.count(), 0U);
  EXPECT_EQ(bits.count_in({10, 0}), 0U);
}

TEST(Bits, NothingIsFoundFromTheEndOn) {
  Bits<64> bits;
  bits.set_run({0, 64});
  EXPECT_EQ(bits.next_clear(0), 64U);
  EXPECT_EQ(bits.next_set(64), 64U);
  EXPECT_EQ(bits.next_clear_run(0).length, 0U);
}

}  // namespace
}  // namespace mini::alloc
