// The call stack of the thread that asks, quickly: it runs in every malloc of a recorded program.
//
// A step looks the return address up in the process's RowCache, adds, and loads. What makes most
// stacks nearly free is that their outer part is the one of the call before: a walk that comes to a
// frame of the previous one stops there, once it knows that the rest is the same.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>

#include "unwind/self/code_table.h"
#include "unwind/self/earlier_walk.h"
#include "unwind/self/registers.h"
#include "unwind/self/stack_bounds.h"
#include "unwind/self/stack_word.h"

namespace mini::unwind::self {

/// Why a stack ends where it does. Anything but kComplete is to be counted and shown.
enum class StackEnd : std::uint8_t {
  kComplete,      // the outermost frame: call frame information says that there is no caller
  kNoUnwindInfo,  // code without it, or with some that is not followed, and no usable frame pointer
  kUnreadable,    // the next frame would lie outside of the stack, or there is no stack
  kDepthLimit,    // more frames than asked for; these are the innermost
  kNoProgress,    // the next frame would not be further out
};

/// What a frame's return address is multiplied by in the sum over a chain, by its place from the
/// outermost. Numbers at random: two chains have the same sum in one of 2^(64 - n) cases, where n
/// lower bits are equal in all addresses that differ.
constexpr std::uint64_t place_factor(std::uint32_t place) {
  const std::uint64_t number = (place + std::uint64_t{1}) * 0x9e37'79b9'7f4a'7c15U;
  const std::uint64_t mixed = (number ^ number >> 30) * 0xbf58'476d'1ce4'e5b9U;
  return (mixed ^ mixed >> 27) * 0x94d0'49bb'1331'11ebU | 1;
}

/// Of such a sum, whose lower bits are those of the addresses' lower bits alone.
constexpr std::uint64_t chain_hash(std::uint64_t sum) {
  const std::uint64_t mixed = (sum ^ sum >> 32) * 0x94d0'49bb'1331'11ebU;
  return mixed ^ mixed >> 31;
}

/// Valid until the next walk of the same SelfUnwinder.
struct Chain {
  /// Return addresses, the outermost first, so that what is unchanged keeps its place. The last is
  /// the one in the function that called. An interrupted instruction, outside of a signal handler's
  /// frame, appears as its address + 1: minus one, each entry is in the instruction that was at
  /// work.
  const std::uintptr_t* pcs = nullptr;
  std::uint32_t count = 0;
  /// So many of the first entries are equal to those of the walk before; `end` is then, too.
  std::uint32_t unchanged_outer = 0;
  std::uint64_t hash = 0;
  StackEnd end = StackEnd::kUnreadable;
  /// Some frame was found by a frame pointer alone, in code that nothing describes: likely right,
  /// but frames next to it may be missing.
  bool has_guess = false;
};

/// Sums over all walks of one SelfUnwinder.
struct WalkCounters {
  std::uint64_t walks = 0;
  std::uint64_t frames = 0;         // of all chains
  std::uint64_t reused_frames = 0;  // of those, not walked again
  std::uint64_t compiled_rows = 0;  // addresses that no walk had met, or too many, or no code yet
  std::uint64_t guessed_frames = 0;
  std::uint64_t ends[5] = {};  // by StackEnd
};

/// One thread's. Not to be entered again by a signal handler while it is at work. Begins as zero
/// bytes; holds no memory before start() and none after stop().
class SelfUnwinder {
 public:
  static constexpr std::uint32_t kDefaultMaxDepth = 16384;

  constexpr SelfUnwinder() = default;
  SelfUnwinder(const SelfUnwinder&) = delete;
  SelfUnwinder& operator=(const SelfUnwinder&) = delete;

  /// Maps room for `max_depth` frames, 104 bytes each, and 26 KiB for earlier walks; it takes
  /// memory as deep as stacks really are. False where there is none. REQUIRES: not started; `code`
  /// outlives it; max_depth > 0.
  bool start(CodeTable& code, std::uint32_t max_depth = kDefaultMaxDepth);
  void stop();
  /// To be called after a walk that was broken off, in whatever state it left this.
  void forget() {
    forget_frames();
    ++era_;
    stacks_ = {};
  }

  /// The stack from the caller that capture_caller() named. Without start(), and where no readable
  /// stack contains its stack pointer, that one return address. Takes no lock, allocates nothing.
  Chain unwind(const CallerRegisters& caller);

  /// Whether all that the last walk went by is as it was, perhaps but for return addresses. `key`
  /// is then a number for those: if it was key() after an unwind(), the chain is that one's. The
  /// same of a walk before, where one of those that are remembered began at the same place.
  bool find_key(const CallerRegisters& caller, std::uint64_t* key);
  /// Of the chain that unwind() has found. REQUIRES: not the one of a single return address, for
  /// want of a stack.
  std::uint64_t key() const { return seed_ + sum_; }

  const WalkCounters& counters() const { return counters_; }
  /// To work in, between two walks, for who may be on a very small stack.
  std::span<char> scratch() { return buffer_; }

 private:
  class Walk;

  // A frame's return address, and how the walk came to it.
  //
  // After a step the walk knows pc (the return address), sp (always slot + 8) and bp. All that it
  // finds from there is a function of these three, of the rows, and of the stack's words that it
  // reads. Hence: if a new walk comes to a state that the previous one was in, and all words that
  // the previous one read from there on hold what they held, and no row has changed, then it would
  // find the very same frames. So it need not look. The words are
  //
  //   W1  each frame's return address, at `slot`
  //   W2  each saved bp that some step used, at slot + bp_home, where kBpMatters
  //   W3  the words that say where a CFA is, at cfa_home, where kHasCfaHome: it held slot + 8
  //
  // and the states are compared by slot, return address and, where kBpMatters, bp. A bp that no
  // frame further out uses before another is loaded is not compared: compilers keep variables
  // there, which change all the time.
  //
  // It does not suffice to compare return addresses in their slots (W1). A frame that is gone
  // leaves its words behind: if a function with alloca is called again, a little higher or lower,
  // the old slot may still hold an address and not be a slot any more. Then bp, of which the
  // function's CFA is made, is another one, and W2 says so.
  struct Frame {
    enum Flag : std::uint32_t {
      kBpMatters = 1,   // a step further out used bp
      kSealed = 2,      // a signal's frame, whose sp is another: no walk joins here or across it
      kHasCfaHome = 4,  // cfa_home is in use
      kIsGuess = 8,
      kGuessOutside = 16,                               // in this frame or one further out
      kDemanding = kBpMatters | kSealed | kHasCfaHome,  // more than W1 is to be compared
    };
    std::uintptr_t slot = 0;
    std::uintptr_t return_address = 0;
    std::uintptr_t bp = 0;  // in the function that the return address leads to
    std::uintptr_t cfa_home = 0;
    std::int32_t bp_home = 0;  // from slot; 0: bp was not loaded by this step but is as before
    std::uint32_t flags = 0;

    bool is(std::uint32_t any_of) const { return (flags & any_of) != 0; }
  };
  static_assert(sizeof(Frame) == 40);
  // Once more what find_key() needs of a frame.
  struct Place {
    std::uintptr_t slot;
    std::uint64_t factor;
  };
  // Of one frame in all of the arrays below.
  static constexpr std::size_t kFrameBytes =
      2 * sizeof(Frame) + sizeof(std::uintptr_t) + sizeof(Place);
  static constexpr std::size_t memory_bytes(std::uint32_t max_depth) {
    return max_depth * kFrameBytes + kEarlierWalks * sizeof(EarlierWalk);
  }

  void forget_frames() {
    count_ = 0;
    demanding_count_ = 0;
    sum_ = 0;
    may_join_ = false;
  }
  bool refresh(const CallerRegisters& caller, ByteRange stack, Chain* chain);
  static bool is_kept(const Frame& frame, ByteRange stack);
  bool are_outer_kept(ByteRange stack) const;
  bool replace(std::uint32_t place, std::uintptr_t pc);
  [[gnu::noinline]] bool find_earlier_key(const CallerRegisters& caller, std::uint64_t* key);
  template <typename Visit>
  bool visit_words(Visit visit) const;
  void describe_walk(EarlierWalk* walk) const;
  bool went_as(const EarlierWalk& walk) const;
  void remember_walk();
  void drop_outermost(std::uint32_t dropped, std::uint32_t kept);
  void finish(const Walk& walk, Chain* chain);

  CodeTable* code_ = nullptr;
  Frame* frames_ = nullptr;         // of the previous walk, the outermost first
  Frame* new_frames_ = nullptr;     // of this one: filled from the end down, so in the same order
  std::uintptr_t* pcs_ = nullptr;   // those of frames_
  Place* places_ = nullptr;         // those of frames_
  EarlierWalk* earlier_ = nullptr;  // by earlier_walk_index()
  std::uint32_t max_depth_ = 0;
  std::uint32_t count_ = 0;            // in frames_
  std::uint32_t demanding_count_ = 0;  // all kDemanding ones are among so many of the outermost
  std::uint64_t sum_ = 0;              // of their return addresses by place_factor()
  std::uint64_t seed_ = 0;  // of their keys: that of an earlier walk that went by the same, or new
  std::uint64_t last_seed_ = 0;       // of the new ones
  std::uint64_t era_ = 0;             // earlier walks of another one are void
  std::uint32_t factors_count_ = 0;   // so many of places_ have theirs
  std::uint32_t not_code_count_ = 0;  // so often walks came to what is no code
  bool may_join_ = false;  // there is a walk, and all words that its end rests on are known
  StackEnd end_ = StackEnd::kUnreadable;
  std::uintptr_t lone_pc_ = 0;    // what a chain of one frame points at, without room for more
  std::uint64_t generation_ = 0;  // of the rows that frames_ was made with
  StackBounds stacks_;
  WalkCounters counters_;
  char buffer_[4096] = {};  // for the slow paths, which may run on a very small stack
};

// W2 and W3 of a frame of the previous walk whose slot is on the stack of today.
inline bool SelfUnwinder::is_kept(const Frame& frame, ByteRange stack) {
  if (frame.is(Frame::kSealed)) return false;
  if (frame.is(Frame::kBpMatters) && frame.bp_home != 0 &&
      !holds_word(stack, frame.slot + static_cast<std::uintptr_t>(std::intptr_t{frame.bp_home}),
                  frame.bp)) {
    return false;
  }
  return !frame.is(Frame::kHasCfaHome) || holds_word(stack, frame.cfa_home, frame.slot + 8);
}

[[gnu::always_inline]] inline bool SelfUnwinder::find_key(const CallerRegisters& caller,
                                                          std::uint64_t* key) {
  if (!may_join_) return false;
  const Place* place = places_ + count_ - 1;
  if (place->slot != caller.sp - 8) return find_earlier_key(caller, key);
  const Frame& innermost = frames_[count_ - 1];
  if (innermost.is(Frame::kSealed) ||
      (innermost.is(Frame::kBpMatters) && innermost.bp != caller.bp)) {
    return false;
  }
  if (code_->rows().generation() != generation_) return false;
  const ByteRange stack = stacks_.locate(caller.sp, buffer_);
  if (!stack.contains(caller.sp)) return false;
  if (!holds_word(stack, places_->slot)) return false;
  if (demanding_count_ != 0 && !are_outer_kept(stack)) return false;
  std::uint64_t sum = seed_ + caller.return_address * place->factor;
  while (place != places_) {
    --place;
    sum += stack_word(place->slot) * place->factor;
  }
  *key = sum;
  return true;
}

}  // namespace mini::unwind::self
