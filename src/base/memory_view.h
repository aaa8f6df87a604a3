// A target's memory of which much is here already: who reads little pieces of it can do without
// copying them.
#pragma once

#include <cstddef>
#include <span>

#include "base/memory_reader.h"

namespace mini {

class MemoryView : public MemoryReader {
 public:
  /// What is here of the memory from `from` on, valid as long as the view; empty where nothing is,
  /// though read() may be able to get it.
  virtual std::span<const std::byte> at_hand(Address from) const = 0;
};

}  // namespace mini
