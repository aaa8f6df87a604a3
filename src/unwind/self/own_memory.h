// Memory of this library's own, straight from the kernel.
#pragma once

#include <cstddef>

#include "kernel/vm/vm.h"

namespace mini::unwind::self {

inline constexpr std::size_t kMapStep = std::size_t{64} << 10;  // whole pages, however large

constexpr std::size_t in_map_steps(std::size_t bytes) {
  return (bytes + kMapStep - 1) & ~(kMapStep - 1);
}

/// Zero bytes that take memory only where they are touched; null where the kernel has none.
/// REQUIRES: bytes is a multiple of kMapStep.
inline void* map_zeroed(std::size_t bytes) {
  void* const at = kernel::vm::reserve(bytes);
  if (at == nullptr) return nullptr;
  if (kernel::vm::map_over(at, bytes) == kernel::vm::MapResult::kMapped) return at;
  kernel::vm::unmap(at, bytes);
  return nullptr;
}

/// Small records that are never given back. Not thread-safe.
class BumpAllocator {
 public:
  /// Zeroed, aligned to 16 bytes; null where there is no memory.
  void* allocate(std::size_t bytes) {
    const std::size_t rounded = (bytes + 15) & ~std::size_t{15};
    if (rounded > left_) {
      const std::size_t mapped = in_map_steps(rounded);
      auto* const more = static_cast<std::byte*>(map_zeroed(mapped));
      if (more == nullptr) return nullptr;
      at_ = more;
      left_ = mapped;
    }
    std::byte* const result = at_;
    at_ += rounded;
    left_ -= rounded;
    return result;
  }

 private:
  std::byte* at_ = nullptr;
  std::size_t left_ = 0;
};

}  // namespace mini::unwind::self
