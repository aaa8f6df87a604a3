// The one door to a target's memory: a live process, a core file and a test's fake look the same.
#pragma once

#include <cstddef>
#include <optional>
#include <span>
#include <type_traits>

#include "base/units.h"

namespace mini {

class MemoryReader {
 public:
  MemoryReader() = default;
  MemoryReader(const MemoryReader&) = delete;
  MemoryReader& operator=(const MemoryReader&) = delete;
  virtual ~MemoryReader() = default;

  /// Copies up to out.size() bytes from `from` on and returns how many it copied, from the front:
  /// fewer where memory is unreadable from there on, 0 where the first byte is. Never fails else.
  virtual std::size_t read(Address from, std::span<std::byte> out) const = 0;

  /// One object, or nullopt where any byte of it is unreadable.
  template <typename T>
    requires std::is_trivially_copyable_v<T>
  std::optional<T> read_object(Address from) const {
    T object;
    auto bytes = std::as_writable_bytes(std::span(&object, 1));
    if (read(from, bytes) != bytes.size()) return std::nullopt;
    return object;
  }
};

}  // namespace mini
