// Sets of small numbers as words of bits: blocks of a slab, pages of an extent.
#pragma once

#include <array>
#include <bit>
#include <cstdint>

namespace mini::alloc {

/// A run of equal bits: [begin, begin + length).
struct BitRun {
  std::uint32_t begin = 0;
  std::uint32_t length = 0;
};

/// std::popcount without the call that it is on a processor that need not have the instruction.
constexpr std::uint32_t count_ones(std::uint64_t word) {
  word -= (word >> 1) & 0x5555'5555'5555'5555U;
  word = (word & 0x3333'3333'3333'3333U) + ((word >> 2) & 0x3333'3333'3333'3333U);
  word = (word + (word >> 4)) & 0x0f0f'0f0f'0f0f'0f0fU;
  return static_cast<std::uint32_t>((word * 0x0101'0101'0101'0101U) >> 56);
}

/// N bits, all clear at first. Bits past N, where N is no multiple of 64, are never set.
template <std::uint32_t N>
class Bits {
 public:
  static constexpr std::uint32_t kWords = (N + 63) / 64;

  bool test(std::uint32_t i) const { return ((words_[i / 64] >> (i % 64)) & 1) != 0; }
  void set(std::uint32_t i) { words_[i / 64] |= std::uint64_t{1} << (i % 64); }
  void clear(std::uint32_t i) { words_[i / 64] &= ~(std::uint64_t{1} << (i % 64)); }

  /// REQUIRES: begin + length <= N, here and below.
  void set_run(BitRun run) {
    for_each_word(run, [this](std::uint32_t word, std::uint64_t mask) { words_[word] |= mask; });
  }
  void clear_run(BitRun run) {
    for_each_word(run, [this](std::uint32_t word, std::uint64_t mask) { words_[word] &= ~mask; });
  }
  std::uint32_t count_in(BitRun run) const {
    std::uint32_t count = 0;
    for_each_word(run, [&](std::uint32_t word, std::uint64_t mask) {
      count += count_ones(words_[word] & mask);
    });
    return count;
  }
  std::uint32_t count() const { return count_in({0, N}); }
  bool any_in(BitRun run) const {
    std::uint64_t any = 0;
    for_each_word(run, [&](std::uint32_t word, std::uint64_t mask) { any |= words_[word] & mask; });
    return any != 0;
  }

  /// The least i >= from whose bit is set (or clear); N where there is none.
  std::uint32_t next_set(std::uint32_t from) const { return next(from, 0); }
  std::uint32_t next_clear(std::uint32_t from) const { return next(from, ~std::uint64_t{0}); }

  /// One more than the greatest i < before whose bit is set; 0 where there is none.
  std::uint32_t end_of_set(std::uint32_t before) const {
    if (before == 0) return 0;
    std::uint32_t word = (before - 1) / 64;
    std::uint64_t bits = words_[word] << (63 - (before - 1) % 64);
    if (bits != 0) return before - static_cast<std::uint32_t>(std::countl_zero(bits));
    while (word-- != 0) {
      bits = words_[word];
      if (bits != 0) return (word + 1) * 64 - static_cast<std::uint32_t>(std::countl_zero(bits));
    }
    return 0;
  }

  /// The first run of clear bits that begins at or after `from`; length 0 where there is none.
  BitRun next_clear_run(std::uint32_t from) const {
    const std::uint32_t begin = next_clear(from);
    return {begin, begin < N ? next_set(begin) - begin : 0};
  }
  BitRun next_set_run(std::uint32_t from) const {
    const std::uint32_t begin = next_set(from);
    return {begin, begin < N ? next_clear(begin) - begin : 0};
  }

  const std::uint64_t& word(std::uint32_t i) const { return words_[i]; }
  std::uint64_t& word(std::uint32_t i) { return words_[i]; }

 private:
  std::uint32_t next(std::uint32_t from, std::uint64_t flip) const {
    if (from >= N) return N;
    std::uint32_t word = from / 64;
    std::uint64_t bits = (words_[word] ^ flip) & (~std::uint64_t{0} << (from % 64));
    while (bits == 0) {
      if (++word == kWords) return N;
      bits = words_[word] ^ flip;
    }
    const std::uint32_t found = word * 64 + static_cast<std::uint32_t>(std::countr_zero(bits));
    return found < N ? found : N;
  }

  template <typename Do>
  static void for_each_word(BitRun run, Do&& apply) {
    std::uint32_t i = run.begin;
    const std::uint32_t end = run.begin + run.length;
    while (i < end) {
      const std::uint32_t bit = i % 64;
      const std::uint32_t step = end - i < 64 - bit ? end - i : 64 - bit;
      const std::uint64_t ones = step == 64 ? ~std::uint64_t{0} : (std::uint64_t{1} << step) - 1;
      apply(i / 64, ones << bit);
      i += step;
    }
  }

  std::array<std::uint64_t, kWords> words_{};
};

}  // namespace mini::alloc
