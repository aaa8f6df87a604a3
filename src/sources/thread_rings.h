// The rings of a process's threads, read in the order of times.
#pragma once

#include <algorithm>
#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <vector>

#include "recording/event.h"
#include "sources/told_stacks.h"
#include "wire/record.h"
#include "wire/ring.h"

namespace mini::sources {

/// A ring, and who tells on it.
struct ThreadRing {
  wire::RingReader reader;
  recording::ThreadNumber number = 0;  // 0: nobody has told of anything
  std::uint32_t tid = 0;
  std::uint64_t ticks = 0;  // the time of the records that come next
  bool is_sound = true;     // false: it made no sense, and is not read any more
  ToldStacks stacks = {};
};

/// Not thread-safe. The target may write what it likes into its slot.
///
///  R1  a ring has the records of one thread, in their order, and of another one when all of them
///      were read
///  R2  of a ring nothing is read that is later than the next of another: what it follows from
///      comes first (T1 in wire/record.h)
class ThreadRings {
 public:
  using NumberOf = std::function<recording::ThreadNumber(std::uint32_t tid)>;
  using OnEnd = std::function<void(std::uint32_t tid)>;

  explicit ThreadRings(wire::SlotView slot);

  /// The time of the first thing that a process told, in ticks; nothing where it did not so far.
  static std::optional<std::uint64_t> first_ticks(const wire::SlotView& slot);

  /// Sees what the threads have told by now. `number_of` is asked for each that is new.
  void look(const NumberOf& number_of);
  /// Calls read(ring, until) until there is nothing more up to this time. It is to skip the records
  /// of that ring up to `until`, or to say that the ring is not sound. REQUIRES: the time was read
  /// before the call of look().
  template <typename Read>
  void read_in_order(std::uint64_t until, Read&& read);
  /// Passes over what look() saw.
  void skip_all();
  /// From here on look() sees nothing.
  void end() { has_ended_ = true; }
  /// What was read is room again for the threads; the rings of those that have ended are for
  /// others, and `on_end` is told.
  void give_back(const OnEnd& on_end);

  std::span<const ThreadRing> all() const { return rings_; }

 private:
  static std::optional<std::uint64_t> next_time(ThreadRing& ring, std::uint64_t until);
  void find_new();
  void close_those_of_ended();
  void give_back(ThreadRing& ring, const OnEnd& on_end);

  wire::SlotView slot_;
  bool counts_as_we_do_;  // its numbers of threads are those by which we know them
  bool has_ended_ = false;
  std::vector<ThreadRing> rings_;
};

// A time is read together with what it is the time of.
inline std::optional<std::uint64_t> ThreadRings::next_time(ThreadRing& ring, std::uint64_t until) {
  if (!ring.is_sound) return std::nullopt;
  wire::RingReader& reader = ring.reader;
  for (; reader.available_words() != 0; reader.skip(1)) {
    const std::uint64_t word = reader.peek(0);
    if (wire::kind_of(word) != wire::RecordKind::kTime) return ring.ticks;
    ring.ticks = wire::time_of(word, until);
  }
  return std::nullopt;
}

// The thread that is behind goes on, up to where the next one is.
template <typename Read>
void ThreadRings::read_in_order(std::uint64_t until, Read&& read) {
  while (true) {
    ThreadRing* first = nullptr;
    std::uint64_t first_time = until;
    std::uint64_t second_time = until;
    for (ThreadRing& ring : rings_) {
      const auto time = next_time(ring, until);
      if (!time || *time > until) continue;
      if (first == nullptr || *time < first_time) {
        second_time = first == nullptr ? until : first_time;
        first_time = *time;
        first = &ring;
      } else {
        second_time = std::min(second_time, *time);
      }
    }
    if (first == nullptr) return;
    read(*first, second_time);
  }
}

}  // namespace mini::sources
