// Numbers that look random and are the same on every machine, whatever its standard library.
#pragma once

#include <cstddef>
#include <cstdint>

namespace mini::test {

/// SplitMix64 (Steele, Lea and Flood).
class Random {
 public:
  explicit constexpr Random(std::uint64_t seed) : state_(seed) {}

  constexpr std::uint64_t next() {
    std::uint64_t z = (state_ += 0x9e37'79b9'7f4a'7c15U);
    z = (z ^ (z >> 30)) * 0xbf58'476d'1ce4'e5b9U;
    z = (z ^ (z >> 27)) * 0x94d0'49bb'1331'11ebU;
    return z ^ (z >> 31);
  }
  /// One of 0 … bound - 1. REQUIRES: bound != 0.
  constexpr std::uint32_t below(std::uint32_t bound) {
    return static_cast<std::uint32_t>((next() >> 32) * bound >> 32);
  }
  constexpr std::uint32_t between(std::uint32_t least, std::uint32_t most) {
    return least + below(most - least + 1);
  }
  constexpr bool one_in(std::uint32_t n) { return below(n) == 0; }
  /// Any number up to `most`, each magnitude as likely as another.
  constexpr std::size_t size_up_to(std::size_t most) {
    unsigned bits = 1;
    while ((most >> bits) != 0) ++bits;
    const std::size_t size = next() >> (64 - between(1, bits));
    return size <= most ? size : most;
  }

 private:
  std::uint64_t state_;
};

}  // namespace mini::test
