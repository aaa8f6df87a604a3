// How far outwards a thread's stack can be read.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>
#include <span>

#include "base/byte_cursor.h"

namespace mini::unwind::self {

/// The stacks that one thread was seen on: its own, those for signals, those of coroutines. Finding
/// one reads the kernel's list of mappings, so the latest few are remembered.
///
/// A thread's own stack stays for as long as the thread runs. Others may be unmapped and made anew,
/// smaller: they are looked up again after forget_foreign_stacks(). Which parts of the address
/// space any of them is in is kept in marks, so that a program that maps and unmaps all the time
/// does not have its stacks looked up all the time.
class StackBounds {
 public:
  /// The readable bytes from about `sp` on to the end of its stack; empty where there is none.
  /// `buffer` is for the slow path to work in.
  ByteRange locate(std::uintptr_t sp, std::span<char> buffer) {
    if (stacks_[0].range.contains(sp) && is_valid(stacks_[0])) [[likely]]
      return stacks_[0].range;
    return locate_slowly(sp, buffer);
  }

  /// Whether it is on this thread's own stack, if locate() has found that.
  static bool is_own(std::uintptr_t sp);

  /// For all threads of the process: memory is about to be unmapped that may have been a stack. Not
  /// after that: another thread may have made a new stack there by then, and taken it for the old.
  static void forget_foreign_stacks(ByteRange memory);

 private:
  struct Stack {
    ByteRange range;
    std::uint64_t epoch = 0;
    bool is_own = false;
  };

  static bool is_valid(const Stack& stack) {
    return stack.is_own || stack.epoch == s_epoch.load(std::memory_order_relaxed);
  }
  ByteRange locate_slowly(std::uintptr_t sp, std::span<char> buffer);
  bool find(std::uintptr_t sp, std::span<char> buffer, Stack* found) const;

  // Both orders of forgetting and remembering are right: marks are cleared before the epoch ends,
  // so that a mark that is lost belongs to a stack of an epoch that has ended.
  static constinit std::atomic<std::uint64_t> s_epoch;

  std::array<Stack, 6> stacks_;  // the latest first
};

}  // namespace mini::unwind::self
