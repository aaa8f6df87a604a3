// How long the recorder is waited for.
#pragma once

#include <algorithm>
#include <cstdint>

#include "kernel/vm/vm.h"

namespace mini::agent {

/// A time by the clock, of which no sleep takes more than some: where the whole machine stood
/// still, as a virtual one that was paused, the recorder could not do anything either.
class Patience {
 public:
  explicit Patience(std::uint64_t most_ns) : left_ns_(most_ns), asked_ns_(kernel::vm::now_ns()) {}

  /// Whether there is any left. To be asked before each sleep, of kMostOfASleepNs at the most.
  bool lasts() {
    const std::uint64_t now = kernel::vm::now_ns();
    left_ns_ -= std::min({now - asked_ns_, kMostOfASleepNs, left_ns_});
    asked_ns_ = now;
    return left_ns_ != 0;
  }

  static constexpr std::uint64_t kMostOfASleepNs = 100'000'000;

 private:
  std::uint64_t left_ns_;
  std::uint64_t asked_ns_;  // when lasts() was asked last
};

}  // namespace mini::agent
