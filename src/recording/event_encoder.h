// Makes one events block after the other: codes and columns, predicted as prediction.h says.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "recording/address_table.h"
#include "recording/bytes.h"
#include "recording/column_compressor.h"
#include "recording/event.h"
#include "recording/format.h"
#include "recording/prediction.h"

namespace mini::recording {

/// Bytes with room for a block's worst case, so that appending checks nothing.
//
// Of a type that stands for nothing else: a byte of another could be part of anything that its
// neighbours hold, and all of that would be loaded anew after each.
class ColumnBuffer {
 public:
  explicit ColumnBuffer(std::size_t most_bytes)
      : bytes_(std::make_unique_for_overwrite<char8_t[]>(most_bytes)), end_(bytes_.get()) {}

  void put_byte(std::uint8_t byte) { *end_++ = byte; }
  void put_varint(std::uint64_t number) { end_ = store_varint(end_, number); }
  // Whether it is wanted nobody can foresee, the processor's branch predictor neither: so that is
  // no branch. REQUIRES: as much room as if it were.
  void put_byte_if(bool is_wanted, std::uint8_t byte) {
    *end_ = byte;
    end_ += static_cast<std::size_t>(is_wanted);
  }
  void put_varint_if(bool is_wanted, std::uint64_t number) {
    if (number < 0x80) [[likely]] {
      put_byte_if(is_wanted, static_cast<std::uint8_t>(number));
    } else if (is_wanted) {
      put_varint(number);
    }
  }
  void clear() { end_ = bytes_.get(); }
  ByteSpan bytes() const {
    return {reinterpret_cast<const std::uint8_t*>(bytes_.get()),
            static_cast<std::size_t>(end_ - bytes_.get())};
  }

 private:
  std::unique_ptr<char8_t[]> bytes_;
  char8_t* end_;
};

/// Not thread-safe. About 3 MiB, of which a block touches what it needs.
class EventEncoder {
 public:
  EventEncoder();

  /// An earlier time than the last is taken for the last. REQUIRES: !is_full().
  void add(const KernelSample& sample);
  void add(const Mapping& mapping);
  void add(const UsableSize& usable);
  void add(const Touch& touch);
  void add(const TouchWatch& watch);
  void add(const Marker& marker);  // of its text at most kMaxStringBytes
  /// The same of as many as there is room for; returns how many. Their places are not looked at.
  std::size_t add(std::span<const HeapEvent> events);

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
  bool put_stack(LocalStack stack);
  std::uint8_t put_size(LocalStack stack, std::uint64_t size);
  void put_weight(std::uint64_t weight);
  std::uint8_t place_allocation(std::uint64_t address, std::uint64_t size);
  std::uint8_t place_new_block(std::uint64_t address, SizeClass size_class);
  std::uint8_t place_free(std::uint64_t address);
  std::uint8_t place_free_of_unknown(std::uint64_t address);
  std::uint8_t add_allocation(const HeapEvent& event);
  std::uint8_t add_free(const HeapEvent& event);
  SlotNumber new_slot(std::uint64_t address);
  void put_slot_if(bool is_wanted, SlotNumber slot);
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
  std::uint64_t tick_end_ns_ = 0;  // from here on an event is in a later tick; 0: it is the first

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
