// The blocks that are live at a moment, by address: the one table that grows with a program's heap
// and is touched at every event.
//
// Open addressing with linear probing over slots of 16 bytes; what is known of a block is elsewhere
// and never moves, so that growing copies slots only. Taking a block out shifts back those behind
// it: there are no tombstones, and a table is as good after a billion events as after one.
//
//  L1  slots_.size() is a power of two; at most 4/5 of them are used
//  L2  from the slot that a used slot's address hashes to, up to the used slot, all are used
//  L3  each block is in one used slot or in the free list
//
// Addresses come from a recording, perhaps from an adversary's: the multiplier of the hash is
// another one in each table. No result depends on it.
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <vector>

#include "base/units.h"

namespace mini::sources {

struct LiveBlock {
  std::uint64_t time_ns = 0;
  std::uint64_t bytes = 0;   // that it stands for; below 2^56
  std::uint32_t blocks = 1;  // that it stands for
  std::uint32_t stack = 0;
  std::uint32_t thread = 0;
  std::uint8_t size_range = 0;
};

class LiveBlocks {
 public:
  LiveBlocks();

  /// Returns the block that was at the address before.
  std::optional<LiveBlock> put(Address address, const LiveBlock& block);
  std::optional<LiveBlock> take(Address address);

  std::uint64_t size() const { return used_count_; }
  /// Whether L1 to L3 hold. Slow; for tests.
  bool check() const;

 private:
  struct Slot {
    std::uint64_t address = 0;
    std::uint32_t record = 0;  // its number; 0: the slot is not used
    std::uint32_t thread = 0;
  };
  struct Record {
    std::uint64_t time_ns = 0;  // of a free record: the next free one
    std::uint64_t bytes : 56 = 0;
    std::uint64_t size_range : 8 = 0;
    std::uint32_t stack = 0;
    std::uint32_t blocks = 0;
  };
  static constexpr std::uint32_t kChunkBits = 12;
  static constexpr std::uint32_t kChunkRecords = 1U << kChunkBits;

  std::size_t home_of(std::uint64_t address) const { return (address * multiplier_) >> shift_; }
  std::size_t find(std::uint64_t address) const;
  Record& record(std::uint32_t number) {
    return chunks_[number >> kChunkBits][number & (kChunkRecords - 1)];
  }
  const Record& record(std::uint32_t number) const {
    return chunks_[number >> kChunkBits][number & (kChunkRecords - 1)];
  }
  std::uint32_t new_record();
  static LiveBlock block_of(const Slot& slot, const Record& record);
  static void fill(Slot& slot, Record& record, const LiveBlock& block);
  void close_gap(std::size_t gap);
  void grow();

  std::vector<Slot> slots_;
  std::uint64_t multiplier_;
  unsigned shift_;
  std::uint64_t used_count_ = 0;
  std::uint64_t most_used_count_;
  std::vector<std::unique_ptr<Record[]>> chunks_;
  std::uint32_t next_record_ = 1;
  std::uint32_t free_record_ = 0;
};

}  // namespace mini::sources
