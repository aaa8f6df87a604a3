// Makes one events block after the other: codes and columns, predicted as prediction.h says.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <vector>

#include "recording/address_table.h"
#include "recording/bytes.h"
#include "recording/column_compressor.h"
#include "recording/event.h"
#include "recording/format.h"
#include "recording/prediction.h"

namespace mini::recording {

/// Bytes with room for a block's worst case, so that appending checks nothing.
class ColumnBuffer {
 public:
  explicit ColumnBuffer(std::size_t most_bytes)
      : bytes_(std::make_unique_for_overwrite<std::uint8_t[]>(most_bytes)), end_(bytes_.get()) {}

  void put_byte(std::uint8_t byte) { *end_++ = byte; }
  void put_varint(std::uint64_t number) { end_ = store_varint(end_, number); }
  void clear() { end_ = bytes_.get(); }
  ByteSpan bytes() const { return {bytes_.get(), end_}; }

 private:
  std::unique_ptr<std::uint8_t[]> bytes_;
  std::uint8_t* end_;
};

/// Not thread-safe. About 3 MiB, of which a block touches what it needs.
class EventEncoder {
 public:
  EventEncoder();

  /// The time is taken instead of the event's own. REQUIRES: !is_full(); times do not decrease.
  void add(const Allocation& allocation, std::uint64_t time_ns);
  void add(const Free& free, std::uint64_t time_ns);
  void add(const KernelSample& sample, std::uint64_t time_ns);
  void add(const Mapping& mapping, std::uint64_t time_ns);
  void add(const UsableSize& usable, std::uint64_t time_ns);
  void add(const Touch& touch, std::uint64_t time_ns);
  void add(const TouchWatch& watch, std::uint64_t time_ns);
  void add(const Marker& marker, std::uint64_t time_ns);  // of its text at most kMaxStringBytes

  bool is_empty() const { return count_ == 0; }
  bool is_full() const {
    return count_ == kMaxEvents || others_.size() >= kMostOthersBytes ||
           prediction_.thread_count() >= kMaxThreads;
  }

  /// Of this block.
  std::uint32_t allocation_count() const { return allocation_count_; }
  std::uint32_t free_count() const { return free_count_; }
  std::uint64_t first_time_ns() const { return first_tick_ * kTickNs; }

  /// The block's contents, appended to `out`; then a new block begins. `allocations_before` and
  /// `frees_before` are the counts of all blocks so far.
  void finish_block(std::uint64_t allocations_before, std::uint64_t frees_before,
                    ColumnCompressor& compressor, ByteVector& out);

 private:
  static constexpr std::uint64_t kTickNs = 1000;
  static constexpr std::size_t kMostOthersBytes = 1U << 20U;

  std::uint8_t begin_event(std::uint64_t time_ns, ThreadNumber thread);
  std::uint8_t later(std::uint64_t time_ns);
  std::uint8_t other_thread(ThreadNumber number);
  LocalStack local_stack(StackNumber number, std::uint8_t kind);
  LocalStack new_local_stack(StackNumber number, std::uint8_t kind);
  std::uint8_t put_size(LocalStack stack, std::uint64_t size);
  void put_weight(std::uint64_t weight);
  std::uint8_t place_allocation(std::uint64_t address, std::uint64_t size);
  std::uint8_t place_free(std::uint64_t address);
  SlotNumber new_slot(std::uint64_t address);
  void put_slot(SlotNumber slot);
  void put_other(std::uint8_t code, std::uint8_t type);

  void put_head(std::uint64_t allocations_before, std::uint64_t frees_before, ByteVector& out);
  unsigned encode_addresses();
  void choose_class_rule();
  void restart();

  Prediction prediction_;
  AddressTable slots_;
  std::vector<LocalThread> local_threads_;  // by ThreadNumber; 0: not in this block
  std::vector<LocalStack> local_stacks_;    // by StackNumber
  StackNumber last_new_stack_ = 0;

  std::uint32_t count_ = 0;
  std::uint32_t allocation_count_ = 0;
  std::uint32_t free_count_ = 0;
  std::uint64_t first_tick_ = 0;
  std::uint64_t tick_ = 0;
  std::uint64_t tick_end_ns_ = 0;  // from here on an event is in a later tick

  std::uint8_t class_rule_ = 0;
  std::uint32_t guessed_ = 0;  // allocations of blocks freed before that were in the expected slot
  std::uint32_t missed_ = 0;   // and those that were in another
  std::array<double, kClassRules> scores_;

  ColumnBuffer codes_, ticks_, threads_, slots_low_, slots_high_, addresses_, stacks_, new_stacks_,
      sizes_low_, sizes_high_, weights_;
  ByteVector others_;
  ByteVector fields_;
  std::vector<std::uint64_t> address_differences_;
};

}  // namespace mini::recording
