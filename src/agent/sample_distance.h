// How many bytes a thread asks for until the next point of its Poisson process.
#pragma once

#include <cstdint>

namespace mini::agent {

/// A thread's numbers at random. Zero is a valid state of memory, not of this: see seed().
class SampleDistance {
 public:
  void seed(std::uint64_t number) { state_ = number | 1; }

  /// Exponentially distributed with this mean: docs/recording-format.md, "Sampling". Rounded up, to
  /// the number of the byte that the point is in.
  std::uint64_t next(std::uint64_t mean_bytes) {
    state_ = state_ * 6364136223846793005U + 1442695040888963407U;  // Knuth, MMIX
    // The upper bits, mixed; 53 of them are a fraction u in (0, 1].
    const std::uint64_t mixed = (state_ ^ state_ >> 32) * 0x9e37'79b9'7f4a'7c15U;
    const double fraction = static_cast<double>((mixed >> 11) + 1) * 0x1p-53;
    const double bytes = -natural_log(fraction) * static_cast<double>(mean_bytes);
    constexpr double kMostBytes = 0x1p62;
    return bytes < kMostBytes ? static_cast<std::uint64_t>(bytes) + 1 : 1ULL << 62;
  }

  /// ln x to 9 digits, for 0 < x <= 1; the agent must not need the mathematical library.
  /// x = m 2^e with m in [1/sqrt 2, sqrt 2); ln m = 2 artanh(t), t = (m - 1) / (m + 1), |t| <
  /// 0.172.
  static double natural_log(double x) {
    const auto bits = __builtin_bit_cast(std::uint64_t, x);
    auto exponent = static_cast<int>(bits >> 52) - 1022;
    double m = __builtin_bit_cast(double, (bits & 0x000f'ffff'ffff'ffffU) | 0x3fe0'0000'0000'0000U);
    if (m < 0.70710678118654752) {
      m *= 2;
      --exponent;
    }
    const double t = (m - 1) / (m + 1);
    const double square = t * t;
    const double series =
        1 + square * (1.0 / 3 +
                      square * (1.0 / 5 +
                                square * (1.0 / 7 + square * (1.0 / 9 + square * (1.0 / 11)))));
    return exponent * 0.69314718055994531 + 2 * t * series;
  }

 private:
  std::uint64_t state_;
};

}  // namespace mini::agent
