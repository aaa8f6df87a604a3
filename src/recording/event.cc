#include "recording/event.h"

#include <cmath>

namespace mini::recording {

std::uint64_t sample_weight(std::uint64_t requested_bytes, std::uint64_t sample_bytes) {
  if (sample_bytes == 0 || requested_bytes == 0) return 0;
  const auto bytes = static_cast<double>(requested_bytes);
  const double probability = -std::expm1(-bytes / static_cast<double>(sample_bytes));
  const double weight = std::round(bytes / probability);
  constexpr double kMost = 0x1p63;
  return weight < kMost ? static_cast<std::uint64_t>(weight) : std::uint64_t{1} << 63U;
}

}  // namespace mini::recording
