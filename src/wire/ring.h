// The two ends of a ring: channel.h says who may touch what.
#pragma once

#include <atomic>
#include <cstdint>

#include "wire/channel.h"

namespace mini::wire {

/// The writer's end. One thread's.
class RingWriter {
 public:
  RingWriter() = default;
  RingWriter(RingHead& head, std::uint64_t* words)
      : ring_(&head), words_(words), at_(head.head.load(std::memory_order_relaxed)) {}

  /// Whether `count` words can be put now.
  bool has_room(std::uint32_t count) {
    if (at_ + count - seen_tail_ <= kRingWords) [[likely]]
      return true;
    seen_tail_ = ring_->tail.load(std::memory_order_acquire);
    return at_ + count - seen_tail_ <= kRingWords;
  }
  /// REQUIRES: has_room() said so of all words since the last publish().
  template <typename... Words>
  void put(Words... words) {
    std::uint64_t at = at_;  // not read anew after each store
    ((words_[at++ & (kRingWords - 1)] = static_cast<std::uint64_t>(words)), ...);
    at_ = at;
  }
  void publish() { ring_->head.store(at_, std::memory_order_release); }

  /// Of all times, those of writers before this one included.
  std::uint64_t written_words() const { return at_; }
  RingHead& head() const { return *ring_; }

 private:
  RingHead* ring_ = nullptr;
  std::uint64_t* words_ = nullptr;
  std::uint64_t at_ = 0;
  std::uint64_t seen_tail_ = 0;
};

/// The reader's end. Nothing that the writer does makes it read outside the ring.
class RingReader {
 public:
  RingReader(RingHead& head, const std::uint64_t* words)
      : ring_(&head), words_(words), at_(head.tail.load(std::memory_order_relaxed)), end_(at_) {}

  /// Looks how far the writer has come. False where what it says cannot be: R1 does not hold.
  bool look() {
    const std::uint64_t end = ring_->head.load(std::memory_order_acquire);
    if (end - at_ > kRingWords) return false;
    end_ = end;
    return true;
  }
  std::uint64_t available_words() const { return end_ - at_; }
  /// REQUIRES: index < available_words().
  std::uint64_t peek(std::uint64_t index) const { return words_[(at_ + index) & (kRingWords - 1)]; }
  void skip(std::uint64_t count) { at_ += count; }
  /// Gives what was skipped back to the writer.
  void release() { ring_->tail.store(at_, std::memory_order_release); }
  RingHead& head() const { return *ring_; }

 private:
  RingHead* ring_;
  const std::uint64_t* words_;
  std::uint64_t at_;
  std::uint64_t end_;
};

}  // namespace mini::wire
