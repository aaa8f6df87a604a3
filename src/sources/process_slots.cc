#include "sources/process_slots.h"

#include <algorithm>
#include <utility>

namespace mini::sources {

using wire::SlotState;

std::vector<NewProcess> ProcessSlots::find_new() {
  std::vector<NewProcess> found;
  const std::uint64_t tickets = claims_.tickets.load(std::memory_order_relaxed);
  const auto used = static_cast<std::uint32_t>(std::min<std::uint64_t>(tickets, wire::kSlots));
  for (std::uint32_t slot = 0; slot < used; ++slot) {
    if (is_known_[slot]) continue;
    const std::uint32_t word = claims_.words[slot].load(std::memory_order_acquire);
    if (wire::slot_state(word) != SlotState::kReady) continue;
    auto mapping = file_.map(wire::slot_offset(slot), wire::kSlotBytes);
    if (!mapping) continue;
    mapping->hide_from_children();
    is_known_[slot] = true;
    found.push_back({.slot = slot,
                     .serial = wire::slot_serial(slot, wire::slot_uses(word)),
                     .ticket = wire::SlotView{mapping->begin()}.slot().ticket,
                     .mapping = std::move(*mapping)});
  }
  std::ranges::sort(found, {}, &NewProcess::ticket);
  return found;
}

void ProcessSlots::release(std::uint32_t slot, bool can_be_reused) {
  file_.discard(wire::slot_offset(slot), wire::kSlotBytes);
  if (!can_be_reused) return;
  is_known_[slot] = false;
  const std::uint32_t word = claims_.words[slot].load(std::memory_order_relaxed);
  claims_.words[slot].store(wire::slot_word(wire::slot_uses(word), SlotState::kFree),
                            std::memory_order_release);
}

}  // namespace mini::sources
