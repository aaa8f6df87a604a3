// The registers a walk begins with.
#pragma once

#include <cstdint>

namespace mini::unwind::self {

struct CallerRegisters {
  std::uintptr_t return_address = 0;
  std::uintptr_t sp = 0;  // the caller's, after the return
  std::uintptr_t bp = 0;
};

/// Those of the caller of the function that this is written in. The function gets a frame pointer
/// by it, and so does not appear in the stack itself: `push %rbp; mov %rsp, %rbp` has put the
/// caller's bp and, above it, the return address where they are read here (psABI, figure 3.3;
/// AAPCS64, §6.4.6, the frame record). On aarch64 `sp` is only known not to be above the caller's.
[[gnu::always_inline]] inline CallerRegisters capture_caller() {
  const auto* const frame = static_cast<const std::uintptr_t*>(__builtin_frame_address(0));
  return {frame[1], reinterpret_cast<std::uintptr_t>(frame + 2), frame[0]};
}

}  // namespace mini::unwind::self
