// A thread's ring: room for its records, the times that they need, and when to wake the recorder.
#pragma once

#include <cstddef>
#include <cstdint>

#include "agent/session.h"
#include "wire/ring.h"

namespace mini::agent {

/// Used by its thread alone. A record is put whole or not at all: make_room() first, for a time as
/// well, then the words, then publish(). All zero, it is closed.
class RecordRing {
 public:
  /// `number`: of the ring, which is this thread's.
  void open(Session& session, std::uint32_t number);
  /// In this order: it may be another thread's then.
  void close();
  bool is_open() const { return session_ != nullptr; }
  /// Without a word to the recorder.
  void forget() { session_ = nullptr; }
  /// The last one it was open with. REQUIRES of all the rest: it is open.
  std::uint32_t number() const { return number_; }
  Session* session() const { return session_; }

  /// Whether there is room now, or within the time that a full ring is waited for.
  bool has_room(std::uint32_t words) { return ring_.has_room(words) || wait_for_room(words); }
  /// The same; what there is no room for counts as dropped.
  bool make_room(std::uint32_t words) {
    if (has_room(words)) [[likely]]
      return true;
    drop_event();
    return false;
  }
  void drop_event() { ring_.head().dropped_events.fetch_add(1, std::memory_order_relaxed); }
  void count_truncated_stack() {
    ring_.head().truncated_stacks.fetch_add(1, std::memory_order_relaxed);
  }

  /// REQUIRES of these: there is room for it.
  template <typename... Words>
  void put(Words... words) {
    ring_.put(words...);
  }
  /// The bytes of two texts, one after the other, filled up to words.
  void put_texts(const char* first, std::size_t first_bytes, const std::uint8_t* second,
                 std::size_t second_bytes);
  void put_time();
  /// What a block's record needs to be in order with those of other rings, and near its real time.
  void put_time_if(bool is_needed) {
    if (is_needed || events_to_time_ == 0 ||
        session_->channel().beat.load(std::memory_order_relaxed) != seen_beat_) [[unlikely]] {
      put_time();
    } else {
      --events_to_time_;
    }
  }

  // The recorder looks by itself every few milliseconds. Whether a faster thread has to wake it is
  // looked at now and then only: what the recorder writes is in another processor's cache.
  void publish() {
    ring_.publish();
    if (ring_.written_words() >= look_at_words_) [[unlikely]]
      wake_recorder_if_due();
  }
  /// What was put since the last publish() never was.
  void take_back();
  /// Nobody reads it any more: there is room for all that is left of a record.
  void make_endless_room() {
    ring_.head().tail.store(ring_.written_words(), std::memory_order_relaxed);
  }

 private:
  bool wait_for_room(std::uint32_t words);
  void wake_recorder_if_due();

  Session* session_;
  wire::RingWriter ring_;
  std::uint32_t number_;
  std::uint32_t seen_beat_;       // of the channel, when the clock was read last
  std::uint32_t events_to_time_;  // how many may follow before it is read again
  std::uint32_t events_a_time_;   // how many should
  std::uint64_t ticks_;           // the time in force
  bool gave_up_;  // the recorder let us wait too long: until there is room, drop at once
  std::uint64_t look_at_words_;  // so many written: see whether the recorder has to be woken
};

}  // namespace mini::agent
