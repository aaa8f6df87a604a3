// The blocks that are live at a moment, by address: the one table that grows with a program's heap
// and is touched at every event.
//
// Open addressing with linear probing. A slot is half a cache line and holds all that is known of
// its block, so that an event costs one miss. Taking a block out shifts back those behind it: there
// are no tombstones, and a table is as good after a billion events as after one.
//
//  L1  slots_.size() is a power of two; at most 2/3 of them are used
//  L2  from the slot that a used slot's address hashes to, up to the used slot, all are used
//
// Addresses come from a recording, perhaps from an adversary's: the multiplier of the hash is
// another one in each table. No result depends on it.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "base/units.h"
#include "model/heap_profile.h"

namespace mini::sources {

/// Each value takes no more bits than LiveBlocks has for it; see the limits there.
struct LiveBlock {
  std::uint64_t time_ns = 0;
  std::uint64_t bytes = 0;   // that it stands for
  std::uint32_t blocks = 1;  // that it stands for; 0: it is no block, which no table holds
  std::uint32_t stack = 0;
  std::uint32_t cell = 0;        // of its thread and its range of sizes
  bool has_usable_size = false;  // that is known, of small blocks; see UsableSizeCounter

  static constexpr LiveBlock none() { return {.blocks = 0}; }
  bool is_none() const { return blocks == 0; }
  void set_none() { blocks = 0; }
  model::Amount amount() const { return {.blocks = blocks, .bytes = bytes}; }
};

class LiveBlocks {
 public:
  static constexpr std::uint64_t kMostTimeNs = (std::uint64_t{1} << 56U) - 1;
  static constexpr std::uint64_t kMostBytes = (std::uint64_t{1} << 48U) - 1;
  static constexpr std::uint32_t kMostBlocks = (1U << 25U) - 1;
  static constexpr std::uint32_t kMostCell = (1U << 29U) - 1;

  LiveBlocks();

  /// Returns the block that was at the address before.
  std::optional<LiveBlock> put(Address address, const LiveBlock& block);
  /// What was there, or none.
  LiveBlock take(Address address);

  /// Says that an address is asked for soon.
  void prefetch(Address address) const { __builtin_prefetch(&slots_[home_of(address.value)], 1); }

  std::uint64_t size() const { return used_count_; }
  std::optional<LiveBlock> at(Address address) const;
  /// apply(address, block) for each, in no order.
  template <typename Apply>
  void for_each(const Apply& apply) const {
    for (const Slot& slot : slots_) {
      if (slot.is_used) apply(Address{slot.address}, block_of(slot));
    }
  }
  /// Whether L1 and L2 hold. Slow; for tests.
  bool check() const;

 private:
  struct alignas(32) Slot {
    std::uint64_t address = 0;
    std::uint64_t time_ns : 56 = 0;
    std::uint64_t blocks_low : 7 = 0;
    std::uint64_t is_used : 1 = 0;
    std::uint64_t bytes : 48 = 0;
    std::uint64_t blocks_high : 16 = 0;
    std::uint64_t stack : 32 = 0;
    std::uint64_t cell : 29 = 0;
    std::uint64_t has_usable_size : 1 = 0;
    std::uint64_t blocks_middle : 2 = 0;
  };
  static_assert(sizeof(Slot) == 32);

  std::size_t home_of(std::uint64_t address) const { return (address * multiplier_) >> shift_; }
  std::size_t find(std::uint64_t address) const;
  static constexpr unsigned kBlocksLowBits = 7;
  static constexpr unsigned kBlocksMiddleBits = 2;
  static LiveBlock block_of(const Slot& slot);
  static Slot slot_of(Address address, const LiveBlock& block);
  void close_gap(std::size_t gap);
  void grow();

  std::vector<Slot> slots_;
  std::uint64_t multiplier_;
  unsigned shift_;
  std::uint64_t used_count_ = 0;
  std::uint64_t most_used_count_;
};

inline LiveBlock LiveBlocks::block_of(const Slot& slot) {
  const std::uint64_t low = slot.blocks_low;
  const std::uint64_t middle = slot.blocks_middle;
  const std::uint64_t high = slot.blocks_high;
  const std::uint64_t blocks = (high << kBlocksMiddleBits | middle) << kBlocksLowBits | low;
  return {.time_ns = slot.time_ns,
          .bytes = slot.bytes,
          .blocks = static_cast<std::uint32_t>(blocks),
          .stack = static_cast<std::uint32_t>(slot.stack),
          .cell = static_cast<std::uint32_t>(slot.cell),
          .has_usable_size = slot.has_usable_size != 0};
}

/// The slot that has the address, or the free one where it would be put.
inline std::size_t LiveBlocks::find(std::uint64_t address) const {
  const std::size_t mask = slots_.size() - 1;
  std::size_t at = home_of(address);
  while (slots_[at].is_used && slots_[at].address != address) at = (at + 1) & mask;
  return at;
}

/// Moves back every slot behind the gap that L2 allows to, up to the next free slot.
inline void LiveBlocks::close_gap(std::size_t gap) {
  const std::size_t mask = slots_.size() - 1;
  for (std::size_t at = (gap + 1) & mask; slots_[at].is_used; at = (at + 1) & mask) {
    const std::size_t from_home = (at - home_of(slots_[at].address)) & mask;
    if (from_home >= ((at - gap) & mask)) {
      slots_[gap] = slots_[at];
      gap = at;
    }
  }
  slots_[gap] = {};
}

// Inline, so that what is found goes to where it is wanted at once.
inline LiveBlock LiveBlocks::take(Address address) {
  const std::size_t at = find(address.value);
  if (!slots_[at].is_used) return LiveBlock::none();
  const LiveBlock block = block_of(slots_[at]);
  --used_count_;
  close_gap(at);
  return block;
}

}  // namespace mini::sources
