// Reads one events block: the mirror of event_encoder.h, of bytes from anybody.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "recording/bytes.h"
#include "recording/compression.h"
#include "recording/format.h"
#include "recording/prediction.h"
#include "recording/reader.h"

namespace mini::recording {

/// Keeps its buffers from block to block. Not thread-safe.
class EventDecoder {
 public:
  /// What a block says of itself, and how many of its events were handed on.
  struct Outcome {
    bool is_sound = false;  // false: its contents are wrong, from `allocations` and `frees` on
    std::uint64_t allocations_before = 0;
    std::uint64_t frees_before = 0;
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
  };

  EventDecoder() = default;
  EventDecoder(const EventDecoder&) = delete;
  EventDecoder& operator=(const EventDecoder&) = delete;

  /// No event is handed on as earlier than one of an earlier call.
  Outcome decode(ByteSpan block, Visitor& visitor);

 private:
  bool read_head(ByteReader& in, Outcome& outcome);
  bool read_columns(ByteReader& in);
  void join_slots();
  void join_sizes();
  bool join_size(std::uint32_t& joined);
  bool read_events(Visitor& visitor);
  bool read_event(std::uint8_t code, Visitor& visitor);
  bool read_rare(std::uint8_t code);
  bool read_time();
  bool read_thread();
  LocalStack read_stack(bool is_wanted);
  LocalStack read_long_stack();
  void note_stack_count();
  bool read_size(std::uint64_t& size);
  bool read_new_stack();
  bool read_allocation(std::uint8_t code);
  bool read_free(std::uint8_t code);
  bool read_other(std::uint8_t code, Visitor& visitor);
  void read_mapping(ByteReader record, Visitor& visitor) const;
  void read_touch(ByteReader record, Visitor& visitor) const;
  void read_sample(ByteReader record, Visitor& visitor) const;
  SlotNumber read_slot(bool is_wanted, SlotNumber other);
  bool read_new_slot(std::uint64_t expected, SlotNumber& slot);
  SlotNumber new_slot(std::uint64_t address);
  SlotNumber place_allocation(std::uint8_t mode, SizeClass size_class);
  SlotNumber place_free(std::uint8_t mode);
  HeapEvent& next_event(SlotNumber slot);
  void hand_on(Visitor& visitor);
  ByteReader& column(Column column) { return columns_[static_cast<std::size_t>(column)]; }

  Prediction prediction_;
  Decompressor decompressor_;
  ByteVector raw_;  // what was compressed, of all columns
  std::array<ByteReader, kColumns> columns_;
  std::vector<SlotNumber> slots_;  // both columns of them in one
  const SlotNumber* next_slot_ = nullptr;
  static constexpr std::uint32_t kLongSize = UINT32_MAX;
  std::vector<std::uint32_t> sizes_;  // the same of sizes; kLongSize stands for the next long one
  const std::uint32_t* next_size_ = nullptr;
  const std::uint32_t* sizes_end_ = nullptr;
  std::vector<std::uint64_t> long_sizes_;
  const std::uint64_t* next_long_size_ = nullptr;
  StackNumber last_new_stack_ = 0;
  LocalStack short_stack_end_ = 0;  // of stacks that there are, and whose number takes one byte
  std::uint32_t count_ = 0;
  std::uint64_t tick_ns_ = 1;
  std::uint64_t tick_ = 0;
  std::uint64_t time_ns_ = 0;
  unsigned address_shift_ = 0;
  std::uint8_t class_rule_ = 0;
  bool has_weights_ = false;
  // Handed on together: neither side has to fetch its own things again for each of them.
  std::array<HeapEvent, 256> batch_;
  HeapEvent* next_event_ = batch_.data();
  std::uint64_t handed_on_ = 0;          // events of the block
  std::uint64_t frees_ = 0;              // of the block that were read
  std::array<Address, 256> new_places_;  // that come up in the batch
  std::size_t new_place_count_ = 0;
};

}  // namespace mini::recording
