#include "sources/live_blocks.h"

#include <bit>
#include <random>

namespace mini::sources {
namespace {

constexpr std::size_t kFirstSlots = 1024;

constexpr std::uint64_t most_used(std::size_t slots) {
  return slots / 3 * 2;
}

constexpr unsigned shift_for(std::size_t slots) {
  return 64U - static_cast<unsigned>(std::bit_width(slots) - 1);
}

std::uint64_t random_odd_number() {
  std::random_device source;
  return (std::uint64_t{source()} << 32U) | source() | 1U;
}

}  // namespace

LiveBlocks::LiveBlocks()
    : slots_(kFirstSlots),
      multiplier_(random_odd_number()),
      shift_(shift_for(kFirstSlots)),
      most_used_count_(most_used(kFirstSlots)) {}

inline LiveBlocks::Slot LiveBlocks::slot_of(Address address, const LiveBlock& block) {
  Slot slot;
  slot.address = address.value;
  slot.time_ns = block.time_ns & kMostTimeNs;
  slot.is_used = true;
  slot.bytes = block.bytes & kMostBytes;
  slot.blocks_low = block.blocks & ((1U << kBlocksLowBits) - 1);
  slot.blocks_middle = (block.blocks >> kBlocksLowBits) & ((1U << kBlocksMiddleBits) - 1);
  slot.blocks_high = (block.blocks >> (kBlocksLowBits + kBlocksMiddleBits)) & 0xffffU;
  slot.stack = block.stack;
  slot.cell = block.cell & kMostCell;
  slot.has_usable_size = static_cast<std::uint64_t>(block.has_usable_size);
  return slot;
}

std::optional<LiveBlock> LiveBlocks::put(Address address, const LiveBlock& block) {
  std::size_t at = find(address.value);
  if (slots_[at].is_used) {
    const LiveBlock before = block_of(slots_[at]);
    slots_[at] = slot_of(address, block);
    return before;
  }
  if (used_count_ == most_used_count_) {
    grow();
    at = find(address.value);
  }
  ++used_count_;
  slots_[at] = slot_of(address, block);
  return std::nullopt;
}

std::optional<LiveBlock> LiveBlocks::at(Address address) const {
  const Slot& slot = slots_[find(address.value)];
  if (!slot.is_used) return std::nullopt;
  return block_of(slot);
}

void LiveBlocks::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  shift_ = shift_for(slots_.size());
  most_used_count_ = most_used(slots_.size());
  for (const Slot& slot : old) {
    if (slot.is_used) slots_[find(slot.address)] = slot;
  }
}

bool LiveBlocks::check() const {
  const std::size_t mask = slots_.size() - 1;
  if ((slots_.size() & mask) != 0 || used_count_ > most_used(slots_.size())) return false;
  std::uint64_t used_count = 0;
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    if (!slots_[at].is_used) continue;
    ++used_count;
    for (std::size_t i = home_of(slots_[at].address); i != at; i = (i + 1) & mask) {
      if (!slots_[i].is_used) return false;
    }
  }
  return used_count == used_count_;
}

}  // namespace mini::sources
