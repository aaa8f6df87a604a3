#include "sources/placed_blocks.h"

#include <new>

namespace mini::sources {

PlacedBlocks::PlacedBlocks()
    : slots_(static_cast<Slot*>(std::calloc(recording::kMaxEvents + 1, sizeof(Slot)))) {
  if (slots_ == nullptr) throw std::bad_alloc();
}

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

}  // namespace mini::sources
