// Structures that programs built against another version of the header hand to us.
#pragma once

#include <algorithm>
#include <cerrno>
#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mini::api {

/// Copies a structure that begins with its size to a caller whose size of it may be another: a
/// larger one gets zeros at its end, a smaller one its beginning. 0, or EINVAL where nobody set the
/// size.
template <typename Struct>
int copy_versioned(Struct* out, Struct filled) {
  const std::size_t size = out->struct_size;
  constexpr std::size_t kField = sizeof(std::uint64_t);
  constexpr std::size_t kMost = 65536;
  if (size < 2 * kField || size > kMost || size % kField != 0) return EINVAL;
  filled.struct_size = size;
  std::memcpy(out, &filled, std::min(size, sizeof filled));
  if (size > sizeof filled) {
    std::memset(reinterpret_cast<char*>(out) + sizeof filled, 0, size - sizeof filled);
  }
  return 0;
}

}  // namespace mini::api
