// Which columns are worth looking for matches in.
#include "recording/column_compressor.h"

#include <algorithm>

namespace mini::recording {

namespace {

constexpr std::size_t kLeastBytes = 1024;  // below it is not worth a thought
constexpr std::size_t kLeastGain = 20;     // a part of the bytes
constexpr unsigned kMostBlocks = 16;

}  // namespace

std::size_t ColumnCompressor::try_both(Habit& habit, ByteSpan bytes, ByteVector& out) {
  const std::size_t begin = out.size();
  const std::size_t with_matches = with_matches_.append(bytes, out);
  other_.clear();
  const std::size_t without = without_.append(bytes, other_);
  const bool gains = without > with_matches + bytes.size() / kLeastGain;
  habit.blocks = gains == habit.seeks_matches ? std::min(2 * habit.blocks, kMostBlocks) : 1;
  habit.seeks_matches = gains;
  habit.blocks_left = habit.blocks - 1;
  if (without >= with_matches) return with_matches;
  out.resize(begin);
  put_bytes(out, other_);
  return without;
}

std::size_t ColumnCompressor::append(Column column, ByteSpan bytes, ByteVector& out) {
  if (bytes.size() < kLeastBytes) return with_matches_.append(bytes, out);
  Habit& habit = habits_[static_cast<std::size_t>(column)];
  if (habit.blocks_left == 0) return try_both(habit, bytes, out);
  --habit.blocks_left;
  return (habit.seeks_matches ? with_matches_ : without_).append(bytes, out);
}

}  // namespace mini::recording
