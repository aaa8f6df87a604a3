// From any address to the block that it is in, in some tens of nanoseconds for millions of blocks.
//
// A page's blocks are found by a table of pages, hashed; a block that reaches into pages where it
// does not begin is in a list of its own, which is short: large blocks, and one a page.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "heaps/reachability.h"

namespace mini::heaps {

class BlockIndex {
 public:
  static constexpr std::uint32_t kNone = UINT32_MAX;

  /// Refers to the blocks. REQUIRES: as find_reachable().
  explicit BlockIndex(std::span<const LiveRange> blocks);

  /// The number of the block with the address, or kNone.
  std::uint32_t find(std::uint64_t address) const {
    if (address - lowest_ >= span_) [[likely]]
      return kNone;
    return find_inside(address);
  }
  /// Where a block ends: before the next one begins, whatever it says.
  std::uint64_t end_of(std::uint32_t block) const;

 private:
  struct Page {
    std::uint64_t number = 0;
    std::uint32_t first = 0;  // of its blocks
    std::uint32_t count = 0;  // 0: a free place
  };

  std::uint32_t find_inside(std::uint64_t address) const;
  std::size_t place_of(std::uint64_t page) const;
  void add_pages();

  std::span<const LiveRange> blocks_;
  std::uint64_t lowest_ = 0;
  std::uint64_t span_ = 0;  // from the lowest address to the end of the highest
  std::vector<Page> pages_;
  unsigned shift_ = 63;
  std::vector<std::uint32_t> wide_;  // blocks that end on another page than they begin, in order
};

}  // namespace mini::heaps
