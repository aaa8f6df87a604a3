// The writer's side of an events block: from full columns to bytes.
#include <bit>

#include "recording/event_encoder.h"

namespace mini::recording {

/// Fills the column of addresses and returns the shift that all of them can be divided by.
unsigned EventEncoder::encode_addresses() {
  std::uint64_t all_bits = std::uint64_t{1} << kMaxAddressShift;
  for (const std::uint64_t difference : address_differences_) all_bits |= difference;
  const auto shift = static_cast<unsigned>(std::countr_zero(all_bits));
  for (const std::uint64_t difference : address_differences_) {
    const auto shifted = static_cast<std::int64_t>(difference) >> shift;
    addresses_.put_varint(zigzag(static_cast<std::uint64_t>(shifted)));
  }
  return shift;
}

void EventEncoder::put_head(std::uint64_t allocations_before, std::uint64_t frees_before,
                            ByteVector& out) {
  put_varint(out, count_);
  put_varint(out, allocations_before);
  put_varint(out, frees_before);
  put_varint(out, kTickNs);
  put_varint(out, first_tick_);
  put_varint(out, encode_addresses());
  put_varint(out, class_rule_);
  put_varint(out, kColumns);
}

void EventEncoder::finish_block(std::uint64_t allocations_before, std::uint64_t frees_before,
                                ColumnCompressor& compressor, ByteVector& out) {
  put_head(allocations_before, frees_before, out);
  const std::array<ByteSpan, kColumns> columns{
      codes_.bytes(),      ticks_.bytes(),      threads_.bytes(), slots_low_.bytes(),
      slots_high_.bytes(), addresses_.bytes(),  stacks_.bytes(),  new_stacks_.bytes(),
      sizes_low_.bytes(),  sizes_high_.bytes(), weights_.bytes(), others_};
  fields_.clear();
  for (std::size_t i = 0; i < kColumns; ++i) {
    put_varint(out, columns[i].size());
    put_varint(out, compressor.append(static_cast<Column>(i), columns[i], fields_));
  }
  put_bytes(out, fields_);
  choose_class_rule();
  restart();
}

/// Blocks of one program are alike: the rule that guesses better in one does so in the next.
void EventEncoder::choose_class_rule() {
  constexpr std::uint32_t kEnough = 2048;
  constexpr double kGood = 0.7;
  if (guessed_ + missed_ < kEnough) return;
  const double score = static_cast<double>(guessed_) / (guessed_ + missed_);
  scores_[class_rule_] = score;
  const auto other = static_cast<std::uint8_t>(1 - class_rule_);
  const bool is_untried = scores_[other] < 0;
  if (is_untried ? score < kGood : scores_[other] > score) class_rule_ = other;
}

void EventEncoder::restart() {
  for (std::size_t i = 1; i <= prediction_.thread_count(); ++i) {
    const ThreadNumber number = prediction_.thread_number(static_cast<LocalThread>(i));
    if (number < local_threads_.size()) local_threads_[number] = 0;
  }
  for (std::size_t i = 1; i <= prediction_.stack_count(); ++i) {
    const StackNumber number = prediction_.stack(static_cast<LocalStack>(i)).number;
    if (number < local_stacks_.size()) local_stacks_[number] = 0;
  }
  if (prediction_.slot_count() != 0) slots_.clear();
  prediction_.restart();
  last_new_stack_ = 0;
  tick_end_ns_ = 0;
  count_ = allocation_count_ = free_count_ = 0;
  guessed_ = missed_ = 0;
  for (ColumnBuffer* column : {&codes_, &ticks_, &threads_, &slots_low_, &slots_high_, &addresses_,
                               &stacks_, &new_stacks_, &sizes_low_, &sizes_high_, &weights_}) {
    column->clear();
  }
  others_.clear();
  address_differences_.clear();
}

}  // namespace mini::recording
