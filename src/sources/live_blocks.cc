#include "sources/live_blocks.h"

#include <bit>
#include <random>

namespace mini::sources {
namespace {

constexpr std::size_t kFirstSlots = 1024;

constexpr std::uint64_t most_used(std::size_t slots) {
  return slots / 5 * 4;
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

/// The slot that has the address, or the free one where it would be put.
std::size_t LiveBlocks::find(std::uint64_t address) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(address);
  while (slots_[at].record != 0 && slots_[at].address != address) at = (at + 1) & mask;
  return at;
}

std::optional<LiveBlock> LiveBlocks::put(Address address, const LiveBlock& block) {
  std::size_t at = find(address.value);
  if (slots_[at].record != 0) {
    Slot& slot = slots_[at];
    const LiveBlock before = block_of(slot, record(slot.record));
    fill(slot, record(slot.record), block);
    return before;
  }
  if (used_count_ == most_used_count_) {
    grow();
    at = find(address.value);
  }
  ++used_count_;
  Slot& slot = slots_[at];
  slot.address = address.value;
  slot.record = new_record();
  fill(slot, record(slot.record), block);
  return std::nullopt;
}

std::optional<LiveBlock> LiveBlocks::take(Address address) {
  const std::size_t at = find(address.value);
  const Slot slot = slots_[at];
  if (slot.record == 0) return std::nullopt;
  Record& taken = record(slot.record);
  const LiveBlock block = block_of(slot, taken);
  taken.time_ns = free_record_;
  free_record_ = slot.record;
  --used_count_;
  close_gap(at);
  return block;
}

std::uint32_t LiveBlocks::new_record() {
  if (free_record_ != 0) {
    const std::uint32_t number = free_record_;
    free_record_ = static_cast<std::uint32_t>(record(number).time_ns);
    return number;
  }
  const std::uint32_t number = next_record_++;
  if ((number >> kChunkBits) >= chunks_.size()) {
    chunks_.push_back(std::make_unique<Record[]>(kChunkRecords));
  }
  return number;
}

LiveBlock LiveBlocks::block_of(const Slot& slot, const Record& record) {
  return {.time_ns = record.time_ns,
          .bytes = record.bytes,
          .blocks = record.blocks,
          .stack = record.stack,
          .thread = slot.thread,
          .size_range = static_cast<std::uint8_t>(record.size_range)};
}

void LiveBlocks::fill(Slot& slot, Record& record, const LiveBlock& block) {
  slot.thread = block.thread;
  record.time_ns = block.time_ns;
  record.bytes = block.bytes & ((std::uint64_t{1} << 56U) - 1);
  record.size_range = block.size_range;
  record.stack = block.stack;
  record.blocks = block.blocks;
}

/// Moves back every slot behind the gap that L2 allows to, up to the next free slot.
void LiveBlocks::close_gap(std::size_t gap) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (gap + 1) & mask; slots_[at].record != 0; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home_of(slots_[at].address)) & mask;
    if (from_home >= ((at - gap) & mask)) {
      slots_[gap] = slots_[at];
      gap = at;
    }
  }
  slots_[gap] = {};
}

void LiveBlocks::grow() {
  std::vector<Slot> old(slots_.size() * 2);
  old.swap(slots_);
  shift_ = shift_for(slots_.size());
  most_used_count_ = most_used(slots_.size());
  for (const Slot& slot : old) {
    if (slot.record != 0) slots_[find(slot.address)] = slot;
  }
}

bool LiveBlocks::check() const {
  const std::size_t mask = slots_.size() - 1;
  if ((slots_.size() & mask) != 0 || used_count_ > most_used(slots_.size())) return false;
  std::vector<bool> seen(next_record_);
  const auto see = [&](std::uint64_t number) {
    if (number == 0 || number >= next_record_ || seen[number]) return false;
    seen[number] = true;
    return true;
  };
  std::uint64_t used_count = 0;
  for (std::size_t at = 0; at < slots_.size(); ++at) {
    if (slots_[at].record == 0) continue;
    ++used_count;
    if (!see(slots_[at].record)) return false;
    for (std::size_t i = home_of(slots_[at].address); i != at; i = (i + 1) & mask) {
      if (slots_[i].record == 0) return false;
    }
  }
  std::uint64_t free_count = 0;
  for (std::uint64_t number = free_record_; number != 0;
       number = record(static_cast<std::uint32_t>(number)).time_ns) {
    ++free_count;
    if (!see(number)) return false;
  }
  return used_count == used_count_ && used_count + free_count + 1 == next_record_;
}

}  // namespace mini::sources
