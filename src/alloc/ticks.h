// Time in steps of about a quarter of a second: when pages were used last, and whether that is long
// ago.
#pragma once

#include <cstdint>

#include "kernel/vm/vm.h"

namespace mini::alloc {

inline constexpr std::uint32_t kColdTicks = 4;  // about a second

inline std::uint32_t now_tick() {
  return static_cast<std::uint32_t>(kernel::vm::coarse_now_ns() >> 28);
}

}  // namespace mini::alloc
