// What the ticks of records are in nanoseconds: measured against the kernel's clock, more exactly
// the longer it runs.
#pragma once

#include <cstdint>

namespace mini::sources {

class TickClock {
 public:
  /// The recording begins at this moment.
  TickClock(std::uint64_t ticks, std::uint64_t ns) : first_ticks_(ticks), first_ns_(ns) {}

  /// To be called now and then with both clocks read together.
  void measure(std::uint64_t ticks, std::uint64_t ns) {
    if (ticks <= first_ticks_ || ns <= first_ns_) return;
    ns_per_tick_ = static_cast<double>(ns - first_ns_) / static_cast<double>(ticks - first_ticks_);
  }

  /// Nanoseconds since the beginning; 0 before it.
  std::uint64_t ns(std::uint64_t ticks) const {
    if (ticks <= first_ticks_) return 0;
    return static_cast<std::uint64_t>(static_cast<double>(ticks - first_ticks_) * ns_per_tick_);
  }

 private:
  std::uint64_t first_ticks_;
  std::uint64_t first_ns_;
  double ns_per_tick_ = 1;
};

}  // namespace mini::sources
