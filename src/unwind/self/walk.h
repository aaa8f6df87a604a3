// From a frame to the next one out, up to the end of the stack or to what is known of it.
#pragma once

#include <algorithm>
#include <cstdint>

#include "unwind/self/registers.h"
#include "unwind/self/self_unwinder.h"
#include "unwind/self/stack_word.h"

namespace mini::unwind::self {

/// One walk, or what an unwinder had to do of it: it ends where it meets the one before.
///
/// run() is the loop that nearly every step takes; it keeps the position in variables of its own,
/// which the compiler holds in registers, and stores to it only what a frame must remember. What is
/// rare is done by step_slowly(), with the position in at_. Both follow the same rules.
class SelfUnwinder::Walk {
 public:
  Walk(SelfUnwinder& owner, std::uintptr_t sp, ByteRange stack)
      : owner_(owner),
        table_(owner.code_->rows().table()),
        past_all_(owner.new_frames_ + owner.max_depth_),
        candidates_(owner.may_join_ ? owner.count_ : 0),
        stack_(frames_from(sp, stack)) {}

  void run(const CallerRegisters& caller);

  // Of the walk that is done.
  const Frame* begin() const { return at_.top; }
  std::uint32_t new_count() const { return static_cast<std::uint32_t>(past_all_ - at_.top); }
  bool joined() const { return joined_; }
  std::uint32_t join_index() const { return candidates_ - 1; }
  StackEnd end() const { return end_; }
  bool may_be_joined() const { return may_be_joined_; }
  bool has_guess() const { return has_guess_; }

 private:
  struct Position {
    std::uintptr_t pc = 0;  // the return address
    std::uintptr_t sp = 0;
    std::uintptr_t bp = 0;
    Frame* top = nullptr;  // the outermost frame found yet, the first of the new ones
  };

  // No frame has anything further in, but what a function that calls nothing keeps there (psABI,
  // §3.2.2). What a row leads to there need not be memory: the first thread's stack has not grown
  // to all of its range. REQUIRES: it is in the stack.
  static ByteRange frames_from(std::uintptr_t sp, ByteRange stack) {
    constexpr std::uintptr_t kRedZoneBytes = 128;
    return {sp - std::min(sp - stack.begin, kRedZoneBytes), stack.end};
  }

  // Whether the word there is part of the stack. A stack is a page at least.
  bool readable(std::uintptr_t address) const { return holds_word(stack_, address); }

  // Ends the walk. `knows_why`: another one that comes here ends here as well.
  bool stop(StackEnd end, bool knows_why) {
    end_ = end;
    may_be_joined_ = knows_why;
    return false;
  }

  // A step is about to use bp: it was loaded by the innermost step since which it is the same.
  void use_bp(Frame* top) const {
    for (Frame* frame = top; frame != past_all_ && !frame->is(Frame::kBpMatters); ++frame) {
      frame->flags |= Frame::kBpMatters;
      if (frame->bp_home != 0) break;
    }
  }

  bool join(const Position& at);
  bool outer_is_unchanged(std::uint32_t count);
  bool is_unchanged(const Frame& frame) const;
  bool step_quickly(Row row, Position* at) const;
  bool step_slowly();
  bool step_row(Row row, std::uintptr_t cfa, std::uintptr_t cfa_home);
  bool step_signal();
  bool step_frame_pointer();
  bool is_bottom_of_made_stack();
  bool push(const Frame& frame, std::uintptr_t sp);
  bool is_worth_another_look(Row row);
  Row row_of(std::uintptr_t return_address);

  SelfUnwinder& owner_;
  const RowCache::Table* table_;
  Frame* past_all_;           // the end of the new frames' room
  std::uint32_t candidates_;  // so many of the previous frames, from the outermost, may be met yet
  bool joined_ = false;
  bool may_be_joined_ = false;
  bool has_guess_ = false;
  StackEnd end_ = StackEnd::kUnreadable;
  ByteRange stack_;
  Position at_;
};

}  // namespace mini::unwind::self
