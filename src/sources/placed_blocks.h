// The live blocks while an events block is read: most of what it speaks of is found by the place
// that it gives to an address, which is an index; only its first word on an address looks into the
// table of all.
#pragma once

#include <cstdint>
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
/// the two does not see what the other holds, until gather().
class PlacedBlocks {
 public:
  using Place = std::uint16_t;  // 0: none was given

  /// Returns the block that was at the address before.
  std::optional<LiveBlock> put(Place place, Address address, const LiveBlock& block) {
    if (place == 0) [[unlikely]] {
      return put_without_place(address, block);
    }
    Slot& slot = slot_of(place, address);
    const auto before = slot.is_live ? std::optional(slot.block) : std::nullopt;
    slot.block = block;
    slot.is_live = true;
    return before;
  }
  /// Returns a block that is good until the next call; null where there is none.
  const LiveBlock* take(Place place, Address address) {
    if (place == 0) [[unlikely]] {
      return take_without_place(address);
    }
    Slot& slot = slot_of(place, address);
    if (!slot.is_live) return nullptr;
    slot.is_live = false;
    return &slot.block;
  }

  /// Puts everything into the table: no place means anything any more. What was at an address a
  /// second time is handed to lose(address, block).
  template <typename Lose>
  void gather(const Lose& lose) {
    for (const Place place : used_places_) {
      Slot& slot = slots_[place];
      slot.is_known = false;
      if (!slot.is_live) continue;
      if (const auto before = table_.put(slot.address, slot.block)) lose(slot.address, *before);
    }
    used_places_.clear();
  }
  /// All blocks, after gather().
  const LiveBlocks& table() const { return table_; }

 private:
  struct Slot {
    Address address;
    LiveBlock block;
    bool is_live = false;
    bool is_known = false;  // the rest of it means something
  };

  Slot& slot_of(Place place, Address address) {
    Slot& slot = slots_[place];
    if (!slot.is_known || slot.address != address) [[unlikely]] {
      fetch(place, address);
    }
    return slot;
  }
  void fetch(Place place, Address address);
  std::optional<LiveBlock> put_without_place(Address address, const LiveBlock& block);
  const LiveBlock* take_without_place(Address address);

  LiveBlocks table_;
  std::unique_ptr<Slot[]> slots_ = std::make_unique<Slot[]>(recording::kMaxEvents + 1);
  std::vector<Place> used_places_;
  LiveBlock taken_;
};

}  // namespace mini::sources
