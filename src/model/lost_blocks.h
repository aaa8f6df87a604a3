// Blocks of a heap that the program cannot come to any more, by size and type.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/units.h"

namespace mini::model {

/// Blocks of one size and type.
struct LostGroup {
  Bytes block_size;  // usable
  std::string type;  // of C++ objects with virtual functions, "Node"; "" where it is not known
  std::uint64_t direct = 0;    // no other block leads to them
  std::uint64_t indirect = 0;  // only lost blocks lead to them
  Address example;             // the first, of those lost directly if there are any
  Bytes size() const { return block_size * (direct + indirect); }
};

struct LostBlocks {
  std::vector<LostGroup> groups;  // those with the most bytes first
  std::uint64_t direct = 0;
  std::uint64_t indirect = 0;
  Bytes size;  // of all of them
  Bytes searched;
  Bytes unreadable;           // that should have been searched
  std::uint64_t blocks = 0;   // all live ones
  bool has_registers = true;  // of all threads
};

}  // namespace mini::model
