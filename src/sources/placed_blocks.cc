#include "sources/placed_blocks.h"

namespace mini::sources {

// A place that had another address, which no sound recording has, loses it to the table.
void PlacedBlocks::fetch(Place place, Address address) {
  Slot& slot = slots_[place];
  if (!slot.is_known) {
    used_places_.push_back(place);
  } else if (slot.is_live) {
    table_.put(slot.address, slot.block);
  }
  const auto block = table_.take(address);
  slot.address = address;
  slot.is_known = true;
  slot.is_live = block.has_value();
  if (block) slot.block = *block;
}

std::optional<LiveBlock> PlacedBlocks::put_without_place(Address address, const LiveBlock& block) {
  return table_.put(address, block);
}

const LiveBlock* PlacedBlocks::take_without_place(Address address) {
  const auto block = table_.take(address);
  if (!block) return nullptr;
  taken_ = *block;
  return &taken_;
}

}  // namespace mini::sources
