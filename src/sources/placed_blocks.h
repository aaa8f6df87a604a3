// The live blocks while an events block is read: most of what it speaks of is found by the place
// that it gives to an address, which is an index; only its first word on an address looks into the
// table of all.
#pragma once

#include <cstdint>
#include <cstdlib>
#include <memory>
#include <optional>
#include <vector>

#include "recording/format.h"
#include "sources/live_blocks.h"

namespace mini::sources {

///  B1  a block that is at a place is not in the table; a place whose address nobody has asked for
///      since the last gather() is empty
///
/// Places come from a recording, perhaps a hostile one, that gives two to one address: then one of
/// the two does not see what the other holds, until gather(). Place 0, "none was given", is one
/// whose address is another one each time.
class PlacedBlocks {
 public:
  using Place = std::uint16_t;

  /// What is at an address.
  struct Slot {
    Address address;
    LiveBlock block;
    bool is_live = false;
    bool is_known = false;  // the rest of it means something
  };

  PlacedBlocks();

  /// Good until the next call. Who changes `block` and `is_live` puts and takes.
  Slot& at(Place place, Address address) {
    Slot& slot = slots_[place];
    if (!slot.is_known || slot.address != address) [[unlikely]] {
      fetch(place, address);
    }
    return slot;
  }

  /// Says that a place is asked for soon.
  void prefetch(Place place) const {
    // A slot may lie across two lines.
    const char* const slot = reinterpret_cast<const char*>(&slots_[place]);
    __builtin_prefetch(slot, 1);
    __builtin_prefetch(slot + sizeof(Slot) - 1, 1);
  }

  /// The same, when the place is in the cache: where it has to be filled, that too.
  void prefetch(Place place, Address address) const {
    if (!slots_[place].is_known) table_.prefetch(address);
  }

  /// Puts everything into the table: no place means anything any more. What was at an address a
  /// second time is handed to lose(address, block).
  template <typename Lose>
  void gather(const Lose& lose) {
    for (std::size_t i = 0; i < used_places_.size(); ++i) {
      if (i + kAhead < used_places_.size()) {
        table_.prefetch(slots_[used_places_[i + kAhead]].address);
      }
      Slot& slot = slots_[used_places_[i]];
      slot.is_known = false;
      if (!slot.is_live) continue;
      if (const auto before = table_.put(slot.address, slot.block)) lose(slot.address, *before);
    }
    used_places_.clear();
  }
  /// All blocks, after gather().
  const LiveBlocks& table() const { return table_; }

 private:
  struct Release {
    void operator()(Slot* slots) const { std::free(slots); }
  };

  // Of gather().
  static constexpr std::size_t kAhead = 8;

  void fetch(Place place, Address address);

  LiveBlocks table_;
  // Zeros, of which the kernel gives those that are used. Of most recordings that is a small part.
  std::unique_ptr<Slot[], Release> slots_;
  std::vector<Place> used_places_;
};

}  // namespace mini::sources
