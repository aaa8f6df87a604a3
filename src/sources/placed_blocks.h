// The live blocks while an events block is read: most of what it speaks of is found by the place
// that it gives to an address, which is an index; only its first word on an address looks into the
// table of all.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <span>

#include "recording/event.h"
#include "sources/live_blocks.h"

namespace mini::sources {

///  B1  a block that is at a place is not in the table
///  B2  places 1 … known_count_ have addresses_; what is at the others means nothing
///
/// Places come from a recording, perhaps a hostile one, that gives two to one address: then one of
/// the two does not see what the other holds, until gather().
class PlacedBlocks {
 public:
  using Place = std::uint16_t;

  PlacedBlocks();

  /// These are the addresses of the places after those that are known. REQUIRES: kMaxEvents places
  /// at most since the last gather().
  void meet(std::span<const Address> new_places);

  /// What is at a place: a block, or none. Who changes it puts and takes. REQUIRES: this place has
  /// been met since the last gather().
  LiveBlock& at(Place place) { return blocks_[place]; }

  /// Places have been met from 1 to this since the last gather().
  std::uint32_t known_count() const { return known_count_; }

  /// A block that is at no place. REQUIRES: nothing has been met since the last gather().
  void put(Address address, const LiveBlock& block) { table_.put(address, block); }

  /// Puts everything into the table: no place means anything any more. What was at an address a
  /// second time is handed to lose(address, block).
  template <typename Lose>
  void gather(const Lose& lose) {
    for (std::uint32_t place = 1; place <= known_count_; ++place) {
      if (place + kAhead <= known_count_) table_.prefetch(addresses_[place + kAhead]);
      const LiveBlock& block = blocks_[place];
      if (block.is_none()) continue;
      const Address address = addresses_[place];
      if (const auto before = table_.put(address, block)) lose(address, *before);
    }
    known_count_ = 0;
  }
  /// All blocks, after gather().
  const LiveBlocks& table() const { return table_; }

  /// apply(address, block) for each, in no order.
  template <typename Apply>
  void for_each(const Apply& apply) const {
    table_.for_each(apply);
    for (std::uint32_t place = 1; place <= known_count_; ++place) {
      if (!blocks_[place].is_none()) apply(addresses_[place], blocks_[place]);
    }
  }

 private:
  struct Release {
    void operator()(void* memory) const { std::free(memory); }
  };

  // Of gather().
  static constexpr std::size_t kAhead = 8;
  static constexpr std::size_t kLineBytes = 64;
  static_assert(kLineBytes % sizeof(LiveBlock) == 0, "a block lies in one line of the cache");

  LiveBlocks table_;
  // Of most recordings a small part is used, and then the kernel gives no more than that.
  std::unique_ptr<LiveBlock[], Release> blocks_;
  std::unique_ptr<Address[], Release> addresses_;
  std::uint32_t known_count_ = 0;
};

}  // namespace mini::sources
