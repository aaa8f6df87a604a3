// A target's memory of which much is here already: who reads little pieces of it can do without
// copying them.
#pragma once

#include <cstddef>
#include <span>

#include "base/memory_reader.h"

namespace mini {

/// Bytes of a target's memory that are here, one behind the other.
struct HeldBytes {
  Address begin;
  std::span<const std::byte> bytes;

  /// Where `size` bytes from an address on are; nullptr where not all of them are held.
  const std::byte* find(Address from, std::size_t size) const {
    const std::uint64_t offset = (from - begin).count;
    const bool all = offset <= bytes.size() && bytes.size() - offset >= size;
    return all ? bytes.data() + offset : nullptr;
  }
};

class MemoryView : public MemoryReader {
 public:
  /// What is here of the memory before and behind an address without a gap, valid as long as the
  /// view; no bytes where the one at the address is not here, though read() may be able to get it.
  virtual HeldBytes held_around(Address at) const = 0;
};

}  // namespace mini
