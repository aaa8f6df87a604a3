// The walk.
#include "unwind/self/self_unwinder.h"

#include <algorithm>
#include <cstring>

#include "unwind/self/arena.h"
#include "unwind/self/stack_word.h"

// glibc's loader keeps the stack pointer that the kernel gave the process.
extern "C" __attribute__((weak)) void* mini_first_stack_pointer asm("__libc_stack_end");

namespace mini::unwind::self {
namespace {

constexpr std::uint64_t kSeedStep = 0xd6e8'feb8'6659'fd93U;  // odd: no seed comes again

// Where the frame is of the loader's own first code, which calls the constructors of libraries. It
// has no call frame information, and is the outermost: _dl_start_user of glibc 2.36,
// sysdeps/x86_64/dl-machine.h.
std::uintptr_t where_the_process_began() {
  if (&mini_first_stack_pointer == nullptr) return 0;
  return reinterpret_cast<std::uintptr_t>(mini_first_stack_pointer);
}

}  // namespace

/// One walk.
///
/// run() is the loop that nearly every step takes; it keeps the position in variables of its own,
/// which the compiler holds in registers, and stores to it only what a frame must remember. What is
/// rare is done by step_slowly(), with the position in at_. Both follow the same rules.
class SelfUnwinder::Walk {
 public:
  Walk(SelfUnwinder& owner, ByteRange stack)
      : owner_(owner),
        table_(owner.code_->rows().table()),
        past_all_(owner.new_frames_ + owner.max_depth_),
        candidates_(owner.may_join_ ? owner.count_ : 0),
        stack_(stack) {}

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

// W1, W2 and W3 of one frame of the previous walk. Its slots are looked at only where they are on
// the stack of today.
inline bool SelfUnwinder::Walk::is_unchanged(const Frame& frame) const {
  return holds_word(stack_, frame.slot, frame.return_address) &&
         (!frame.is(Frame::kDemanding) || is_kept(frame, stack_));
}

// Of the `count` outermost frames of the previous walk. If not, only those further out than the one
// that changed may be met yet: whoever joins further in would have the same frame to compare.
inline bool SelfUnwinder::Walk::outer_is_unchanged(std::uint32_t count) {
  const Frame* const frames = owner_.frames_;
  for (std::uint32_t i = count; i != 0; --i) {
    if (!is_unchanged(frames[i - 1])) {
      candidates_ = i - 1;
      return false;
    }
  }
  return true;
}

// Whether the walk has come to a frame of the previous one from which on nothing has changed; then
// candidates_ counts it and those outside of it. Slots rise outwards in both, so that each previous
// frame is passed once, and compared with the stack once.
inline bool SelfUnwinder::Walk::join(const Position& at) {
  const Frame* const frames = owner_.frames_;
  const std::uintptr_t slot = at.top->slot;
  while (candidates_ != 0 && frames[candidates_ - 1].slot < slot) --candidates_;
  if (candidates_ == 0 || frames[candidates_ - 1].slot != slot) return false;
  const Frame& met = frames[candidates_ - 1];
  if (met.return_address != at.pc || (met.is(Frame::kBpMatters) && met.bp != at.bp) ||
      met.is(Frame::kSealed) || at.top->is(Frame::kSealed)) {
    --candidates_;
    return false;
  }
  // A previous walk that was cut short knows less than is wanted now, if this one is less deep.
  const auto added = static_cast<std::uint32_t>(past_all_ - at.top);
  if (owner_.end_ == StackEnd::kDepthLimit && candidates_ - 1 + added < owner_.max_depth_) {
    candidates_ = 0;
    return false;
  }
  if (!outer_is_unchanged(candidates_ - 1)) return false;
  if (met.is(Frame::kBpMatters)) use_bp(at.top);
  end_ = owner_.end_;
  may_be_joined_ = true;
  joined_ = true;
  return true;
}

inline Row SelfUnwinder::Walk::row_of(std::uintptr_t return_address) {
  // One less: a call may be the last instruction of its function.
  const Row row = RowCache::find(table_, return_address - 1);
  if (row.kind() != RowKind::kAbsent) [[likely]]
    return row;
  ++owner_.counters_.compiled_rows;
  return owner_.code_->compile(return_address - 1, owner_.buffer_);
}

// The rows of nearly all code. False, and nothing done that step_slowly() may not do again, where
// the row is of another kind or leads nowhere.
inline bool SelfUnwinder::Walk::step_quickly(Row row, Position* at) const {
  std::uintptr_t base = at->sp;
  if (row.kind() != RowKind::kSp) {
    if (row.kind() != RowKind::kBp) return false;
    use_bp(at->top);
    base = at->bp;
  }
  const std::uintptr_t cfa = base + static_cast<std::uintptr_t>(row.cfa_offset());
  if (cfa < at->sp + 8 || cfa > stack_.end) return false;
  const std::uintptr_t slot = cfa - 8;
  const std::uintptr_t pc = stack_word(slot);
  std::int64_t home_offset = 0;
  if (row.bp_rule() != BpRule::kKept) {
    const std::uintptr_t home = cfa + static_cast<std::uintptr_t>(row.bp_offset());
    if (row.bp_rule() != BpRule::kAtCfa || !readable(home) || home == slot) return false;
    at->bp = stack_word(home);
    home_offset = row.bp_offset() + 8;
  }
  if (pc == 0 || at->top == owner_.new_frames_) return false;
  Frame* const top = --at->top;
  top->slot = slot;
  top->return_address = pc;
  top->bp = at->bp;
  top->bp_home = static_cast<std::int32_t>(home_offset);
  top->flags = 0;
  at->pc = pc;
  at->sp = cfa;
  return true;
}

void SelfUnwinder::Walk::run(const CallerRegisters& caller) {
  Position at{caller.return_address, caller.sp, caller.bp, past_all_ - 1};
  *at.top = Frame{.slot = caller.sp - 8, .return_address = caller.return_address, .bp = caller.bp};
  for (;;) {
    if (candidates_ != 0 && join(at)) break;
    const Position before = at;
    if (step_quickly(RowCache::find(table_, at.pc - 1), &at)) [[likely]]
      continue;
    at_ = before;
    if (!step_slowly()) return;
    at = at_;
  }
  at_ = at;
}

bool SelfUnwinder::Walk::push(const Frame& frame, std::uintptr_t sp) {
  if (at_.top == owner_.new_frames_) return stop(StackEnd::kDepthLimit, true);
  *--at_.top = frame;
  at_.pc = frame.return_address;
  at_.bp = frame.bp;
  at_.sp = sp;
  return true;
}

bool SelfUnwinder::Walk::step_row(Row row, std::uintptr_t cfa, std::uintptr_t cfa_home) {
  if (cfa < at_.sp + 8) return stop(StackEnd::kNoProgress, false);
  if (cfa > stack_.end) return stop(StackEnd::kUnreadable, false);
  const std::uintptr_t slot = cfa - 8;
  Frame next{.slot = slot, .return_address = stack_word(slot), .bp = at_.bp, .cfa_home = cfa_home};
  if (cfa_home != 0) next.flags |= Frame::kHasCfaHome;
  if (row.bp_rule() != BpRule::kKept) {
    if (row.bp_rule() == BpRule::kAtBp) use_bp(at_.top);
    const std::uintptr_t base = row.bp_rule() == BpRule::kAtBp ? at_.bp : cfa;
    const std::uintptr_t home = base + static_cast<std::uintptr_t>(row.bp_offset());
    if (!readable(home)) return stop(StackEnd::kUnreadable, false);
    next.bp = stack_word(home);
    next.bp_home = static_cast<std::int32_t>(home - slot);
    // Two words at one place, or further apart than 2 GiB: nonsense, not to be relied on later.
    const auto distance = static_cast<std::uintptr_t>(std::intptr_t{next.bp_home});
    if (distance == 0 || slot + distance != home) next.flags |= Frame::kSealed;
  }
  if (next.return_address == 0) return stop(StackEnd::kComplete, false);
  return push(next, cfa);
}

bool SelfUnwinder::Walk::step_signal() {
  const auto at = [this](std::int64_t offset) {
    return at_.sp + static_cast<std::uintptr_t>(offset);
  };
  if (!readable(at(kSignalPc))) return stop(StackEnd::kUnreadable, false);
  const std::uintptr_t sp = stack_word(at(kSignalSp));
  const ByteRange stack = owner_.stacks_.locate(sp, owner_.buffer_);
  if (!push({.slot = at(kSignalPc),
             .return_address = stack_word(at(kSignalPc)) + 1,
             .bp = stack_word(at(kSignalBp)),
             .flags = Frame::kSealed},
            sp)) {
    return false;
  }
  if (!stack.contains(sp)) return stop(StackEnd::kUnreadable, false);
  stack_ = stack;
  return true;
}

// A return address at the first instruction of a function, behind no call: whoever made the stack
// has put it there, for when all of it has returned (glibc's makecontext).
inline bool SelfUnwinder::Walk::is_bottom_of_made_stack() {
  const Row entry = row_of(at_.pc + 1);
  return entry.kind() == RowKind::kSp && entry.cfa_offset() == sizeof(std::uintptr_t);
}

bool SelfUnwinder::Walk::step_frame_pointer() {
  if (is_bottom_of_made_stack()) return stop(StackEnd::kComplete, true);
  use_bp(at_.top);
  const std::uintptr_t bp = at_.bp;
  // Zero marks the outermost frame (psABI, §3.4.1) but is as good a variable as any other number.
  if (bp == 0) {
    const bool is_first = at_.sp == where_the_process_began();
    return stop(is_first ? StackEnd::kComplete : StackEnd::kNoUnwindInfo, true);
  }
  if (bp < at_.sp || bp % 8 != 0 || !readable(bp) || !readable(bp + 8)) {
    return stop(StackEnd::kNoUnwindInfo, false);
  }
  const std::uintptr_t return_address = stack_word(bp + 8);
  if (return_address == 0 || row_of(return_address).kind() == RowKind::kNotCode) {
    return stop(StackEnd::kNoUnwindInfo, false);
  }
  if (!push({.slot = bp + 8,
             .return_address = return_address,
             .bp = stack_word(bp),
             .bp_home = -8,
             .flags = Frame::kIsGuess},
            bp + 16)) {
    return false;
  }
  has_guess_ = true;
  ++owner_.counters_.guessed_frames;
  return true;
}

bool SelfUnwinder::Walk::step_slowly() {
  const Row row = row_of(at_.pc);
  const auto offset = static_cast<std::uintptr_t>(row.cfa_offset());
  switch (row.kind()) {
    case RowKind::kSp:
      return step_row(row, at_.sp + offset, 0);
    case RowKind::kBp:
      use_bp(at_.top);
      return step_row(row, at_.bp + offset, 0);
    case RowKind::kBpDeref: {
      use_bp(at_.top);
      const std::uintptr_t home = at_.bp + offset;
      if (!readable(home)) return stop(StackEnd::kUnreadable, false);
      return step_row(row, stack_word(home), home);
    }
    case RowKind::kSignal:
      return step_signal();
    case RowKind::kOutermost:
      return stop(StackEnd::kComplete, true);
    case RowKind::kFramePointer:
      return step_frame_pointer();
    case RowKind::kUnsupported:
      return stop(StackEnd::kNoUnwindInfo, true);
    case RowKind::kAbsent:
    case RowKind::kNotCode:
      break;
  }
  return stop(StackEnd::kNoUnwindInfo, false);
}

bool SelfUnwinder::start(CodeTable& code, std::uint32_t max_depth) {
  const std::size_t frame_bytes = std::size_t{max_depth} * sizeof(Frame);
  const std::size_t bytes = memory_bytes(max_depth);
  auto* const memory = static_cast<std::byte*>(map_zeroed(in_map_steps(bytes)));
  if (memory == nullptr) return false;
  frames_ = reinterpret_cast<Frame*>(memory);
  new_frames_ = reinterpret_cast<Frame*>(memory + frame_bytes);
  pcs_ = reinterpret_cast<std::uintptr_t*>(memory + 2 * frame_bytes);
  places_ = reinterpret_cast<Place*>(pcs_ + max_depth);
  earlier_ = reinterpret_cast<EarlierWalk*>(places_ + max_depth);
  factors_count_ = 0;
  code_ = &code;
  max_depth_ = max_depth;
  forget_frames();
  return true;
}

void SelfUnwinder::stop() {
  if (frames_ == nullptr) return;
  kernel::vm::unmap(frames_, in_map_steps(memory_bytes(max_depth_)));
  frames_ = nullptr;
  forget_frames();
}

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

// Of all frames but the innermost.
bool SelfUnwinder::are_outer_kept(ByteRange stack) const {
  for (std::uint32_t i = std::min(demanding_count_, count_ - 1); i != 0; --i) {
    const Frame& frame = frames_[i - 1];
    if (frame.is(Frame::kDemanding) && !is_kept(frame, stack)) return false;
  }
  return true;
}

// Another call was made from where a frame of the previous walk was, as it is in a loop. If the row
// of the new return address leads to the same next slot, and to the same home of bp, then the next
// frame is where it was.
inline bool SelfUnwinder::replace(std::uint32_t place, std::uintptr_t pc) {
  if (place == 0) return false;
  Frame& frame = frames_[place];
  const Frame& outer = frames_[place - 1];
  if (frame.is(Frame::kIsGuess) || outer.is(Frame::kIsGuess | Frame::kHasCfaHome)) return false;
  const Row row = RowCache::find(code_->rows().table(), pc - 1);
  std::uintptr_t base = frame.slot + 8;
  if (row.kind() == RowKind::kBp && frame.is(Frame::kBpMatters)) {
    base = frame.bp;
  } else if (row.kind() != RowKind::kSp) {
    return false;
  }
  if (base + static_cast<std::uintptr_t>(row.cfa_offset()) != outer.slot + 8) return false;
  if (row.bp_rule() == BpRule::kAtBp) return false;
  const std::int64_t home = row.bp_rule() == BpRule::kAtCfa ? row.bp_offset() + 8 : 0;
  if (home != outer.bp_home || (row.bp_rule() == BpRule::kAtCfa && home == 0)) return false;
  sum_ += (pc - frame.return_address) * places_[place].factor;
  frame.return_address = pcs_[place] = pc;
  return true;
}

// Most stacks are the previous one, with another return address here or there. So the slots of the
// previous walk are looked at from the innermost outwards: as long as the state there is the same
// (see Frame), the next slot is where it was, and no row need be found. Where that ends it says no;
// the frames looked at so far are then such that a walk of today goes through, so that the previous
// walk's record is still a sound one for walk and join().
inline bool SelfUnwinder::refresh(const CallerRegisters& caller, ByteRange stack, Chain* chain) {
  if (!may_join_) return false;
  if (!holds_word(stack, frames_[0].slot)) return false;
  const Frame& innermost = frames_[count_ - 1];
  if (innermost.slot != caller.sp - 8 || innermost.is(Frame::kSealed) ||
      (innermost.is(Frame::kBpMatters) && innermost.bp != caller.bp)) {
    return false;
  }
  std::uintptr_t pc = caller.return_address;
  std::uint32_t unchanged = count_;
  const Frame* const past_demanding = frames_ + demanding_count_;
  for (const Frame* frame = &innermost;; --frame) {
    if (pc != frame->return_address) [[unlikely]] {
      const auto place = static_cast<std::uint32_t>(frame - frames_);
      if (!replace(place, pc)) return false;
      unchanged = place;
    }
    if (frame == frames_) break;
    const Frame& outer = frame[-1];
    if (frame <= past_demanding && outer.is(Frame::kDemanding) && !is_kept(outer, stack)) {
      return false;
    }
    pc = stack_word(outer.slot);
  }
  chain->pcs = pcs_;
  chain->count = count_;
  chain->unchanged_outer = unchanged;
  chain->hash = chain_hash(sum_);
  chain->end = end_;
  chain->has_guess = frames_[count_ - 1].is(Frame::kGuessOutside);
  counters_.reused_frames += unchanged;
  return true;
}

// Of those that stay, in a stack that is deeper than wanted.
void SelfUnwinder::drop_outermost(std::uint32_t dropped, std::uint32_t kept) {
  sum_ = 0;
  demanding_count_ = kept;  // or fewer
  std::memmove(frames_, frames_ + dropped, kept * sizeof(Frame));
  std::memmove(pcs_, pcs_ + dropped, kept * sizeof(std::uintptr_t));
  count_ = kept;
  for (std::uint32_t i = 0; i < kept; ++i) {
    places_[i].slot = frames_[i].slot;
    sum_ += pcs_[i] * places_[i].factor;
  }
  end_ = StackEnd::kDepthLimit;
}

// Puts the new frames behind those that stay.
void SelfUnwinder::finish(const Walk& walk, Chain* chain) {
  const std::uint32_t added = walk.new_count();
  std::uint32_t kept = walk.joined() ? walk.join_index() : 0;  // the joined one is among the new
  chain->unchanged_outer = walk.joined() ? kept + 1 : 0;
  end_ = walk.end();
  may_join_ = walk.may_be_joined();
  counters_.reused_frames += kept;
  if (kept + added > max_depth_) {
    const std::uint32_t dropped = kept + added - max_depth_;
    kept -= dropped;
    drop_outermost(dropped, kept);
    chain->unchanged_outer = 0;
  }
  for (std::uint32_t i = kept; i < count_; ++i) sum_ -= pcs_[i] * places_[i].factor;
  bool has_guess = kept != 0 && frames_[kept - 1].is(Frame::kGuessOutside);
  const Frame* const begin = walk.begin();
  std::memcpy(frames_ + kept, begin, added * sizeof(Frame));
  demanding_count_ = std::min(demanding_count_, kept);
  for (; factors_count_ < kept + added; ++factors_count_) {
    places_[factors_count_].factor = place_factor(factors_count_);
  }
  for (std::uint32_t i = 0; i < added; ++i) {
    Place& place = places_[kept + i];
    place.slot = begin[i].slot;
    pcs_[kept + i] = begin[i].return_address;
    sum_ += begin[i].return_address * place.factor;
    if (begin[i].is(Frame::kDemanding)) demanding_count_ = kept + i + 1;
  }
  if (has_guess || walk.has_guess()) {
    for (std::uint32_t i = kept; i < kept + added; ++i) {
      has_guess = has_guess || frames_[i].is(Frame::kIsGuess);
      if (has_guess) frames_[i].flags |= Frame::kGuessOutside;
    }
  }
  count_ = kept + added;
  seed_ = last_seed_ += kSeedStep;
  remember_walk();
  chain->pcs = pcs_;
  chain->count = count_;
  chain->hash = chain_hash(sum_);
  chain->end = end_;
  chain->has_guess = has_guess;
}

Chain SelfUnwinder::unwind(const CallerRegisters& caller) {
  Chain chain;
  lone_pc_ = caller.return_address;
  chain.pcs = &lone_pc_;
  chain.count = 1;
  ++counters_.walks;
  const ByteRange stack = frames_ == nullptr ? ByteRange{} : stacks_.locate(caller.sp, buffer_);
  if (stack.contains(caller.sp)) {
    // Read before the rows: a change that comes in between is then seen by the next walk.
    const std::uint64_t generation = code_->rows().generation();
    if (generation != generation_) {
      forget_frames();
      ++era_;
    }
    generation_ = generation;
    if (!refresh(caller, stack, &chain)) {
      Walk walk(*this, stack);
      walk.run(caller);
      finish(walk, &chain);
    }
  } else {
    chain.hash = chain_hash(lone_pc_ * place_factor(0));
  }
  counters_.frames += chain.count;
  ++counters_.ends[static_cast<std::size_t>(chain.end)];
  return chain;
}

}  // namespace mini::unwind::self
