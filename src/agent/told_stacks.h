// The stacks that a thread has told the recorder of: each once, then by its number.
#pragma once

#include <cstdint>
#include <cstring>

#include "agent/code.h"
#include "agent/record_ring.h"
#include "agent/stack_index.h"
#include "unwind/self/self_unwinder.h"
#include "wire/record.h"

namespace mini::agent {

using Caller = unwind::self::CallerRegisters;

/// Used by its thread alone, in memory that a fork wipes: all zero, it has told of none.
class ToldStacks {
 public:
  /// False where there is no memory for stacks of so many frames. The stacks that it told of before
  /// are known: those of a ring that another thread had stay that ring's.
  bool start(std::uint32_t most_frames) { return unwinder_.start(code_table(), most_frames); }
  /// What this thread's stack held is of no use for another's.
  void stop() { unwinder_.stop(); }
  /// What was told of has the numbers that it had until the next stack, which says so.
  void forget() {
    index_.clear();
    std::memset(&numbers_[0], 0, sizeof numbers_);
  }
  /// The same, and of the walk that was broken off.
  void forget_walk() {
    unwinder_.forget();
    forget();
  }
  /// The same, for another session's.
  void forget_session() {
    unwinder_.stop();
    forget();
    unload_count_ = 0;
  }
  void keep_on_fork(bool keep) const { index_.keep_on_fork(keep); }

  /// The number of the caller's stack, which is told of first if it was not. False where there was
  /// no room to do so; 0 where there is none, or no memory. In a loop it is one of those of the
  /// loop's calls.
  [[gnu::always_inline]] bool find(RecordRing& ring, const Caller& caller, std::uint32_t* stack) {
    std::uint64_t key = 0;
    if (unwinder_.find_key(caller, &key) && ring.session()->unload_count() == unload_count_)
        [[likely]] {
      if (const std::uint32_t known = numbers_of(key).find(key); known != 0) [[likely]] {
        *stack = known;
        return true;
      }
    }
    std::uint32_t found = 0;  // so that *stack can be in a register
    if (!find_slowly(ring, caller, &found)) return false;
    *stack = found;
    return true;
  }

 private:
  bool find_slowly(RecordRing& ring, const Caller& caller, std::uint32_t* stack);
  bool tell(RecordRing& ring, const unwind::self::Chain& chain, std::uint32_t* stack);
  bool tell_frames(RecordRing& ring, const unwind::self::Chain& chain, std::uint32_t begin,
                   std::uint32_t count, std::uint8_t detail);

  std::uint32_t unload_count_;  // the session's, when the index was begun
  StackIndex index_;
  unwind::self::SelfUnwinder unwinder_;
  // Numbers of stacks that the unwinder has found, by the upper bits of their keys; 0: none. Two
  // that have these in common may come by turns.
  static constexpr unsigned kNumbersBits = 7;
  struct TwoNumbers {
    std::uint64_t keys[2];  // the latest first
    std::uint32_t numbers[2];

    std::uint32_t find(std::uint64_t key) const {
      if (keys[0] == key) [[likely]]
        return numbers[0];
      return keys[1] == key ? numbers[1] : 0;
    }
    void put(std::uint64_t key, std::uint32_t number) {
      keys[1] = keys[0];
      numbers[1] = numbers[0];
      keys[0] = key;
      numbers[0] = number;
    }
  };
  TwoNumbers numbers_[1U << kNumbersBits];
  TwoNumbers& numbers_of(std::uint64_t key) { return numbers_[key >> (64 - kNumbersBits)]; }
  std::uint32_t told_count_;
  std::uint64_t told_[wire::kMostFrames];  // the stack that the recorder was told of last
};

}  // namespace mini::agent
