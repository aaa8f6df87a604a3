// The walk.
#include "unwind/self/self_unwinder.h"

#include <algorithm>
#include <cstring>

#include "unwind/self/arena.h"
#include "unwind/self/stack_word.h"

namespace mini::unwind::self {

/// One walk. It lives in registers: nothing here takes its address.
class SelfUnwinder::Walk {
 public:
  Walk(SelfUnwinder& owner, ByteRange stack)
      : owner_(owner),
        frames_(owner.frames_),
        table_(owner.code_->rows().table()),
        top_(owner.new_frames_ + owner.max_depth_),
        limit_(owner.new_frames_),
        candidates_(owner.may_join_ ? owner.count_ : 0) {
    use_stack(stack);
  }

  void run(const CallerRegisters& caller) {
    sp_ = caller.sp;
    --top_;
    *top_ = Frame{.slot = caller.sp - 8, .return_address = caller.return_address, .bp = caller.bp};
    while (!join() && step()) {
    }
  }

  // Of the walk that is done.
  const Frame* begin() const { return top_; }
  std::uint32_t new_count() const {
    return static_cast<std::uint32_t>(owner_.new_frames_ + owner_.max_depth_ - top_);
  }
  bool joined() const { return joined_; }
  std::uint32_t join_index() const { return candidates_ - 1; }
  StackEnd end() const { return end_; }
  bool may_be_joined() const { return may_be_joined_; }

 private:
  void use_stack(ByteRange stack) {
    low_ = stack.begin;
    end_address_ = stack.end;
  }

  // Whether the word there is part of the stack. A stack is a page at least.
  bool readable(std::uintptr_t address) const {
    return address - low_ <= end_address_ - low_ - sizeof(std::uintptr_t);
  }

  // Ends the walk. `knows_why`: another one that comes here ends here as well.
  bool stop(StackEnd end, bool knows_why) {
    end_ = end;
    may_be_joined_ = knows_why;
    return false;
  }

  // A step is about to use bp: it was loaded by the innermost step since which it is the same.
  void use_bp() {
    Frame* const past_all = owner_.new_frames_ + owner_.max_depth_;
    for (Frame* frame = top_; frame != past_all && !frame->bp_matters; ++frame) {
      frame->bp_matters = true;
      if (frame->bp_home != 0) break;
    }
  }

  bool join();
  bool is_unchanged(const Frame& frame) const;
  bool step();
  bool step_row(Row row, std::uintptr_t cfa, std::uintptr_t cfa_home);
  bool step_signal();
  bool step_frame_pointer();
  bool push(const Frame& frame);
  Row row_of(std::uintptr_t return_address);

  SelfUnwinder& owner_;
  Frame* frames_;
  const RowCache::Table* table_;
  Frame* top_;  // the outermost frame found yet, the first of the new ones
  Frame* limit_;
  std::uint32_t candidates_;  // so many of the previous frames, from the outermost, may be met yet
  bool joined_ = false;
  bool may_be_joined_ = false;
  StackEnd end_ = StackEnd::kUnreadable;
  std::uintptr_t sp_ = 0;
  std::uintptr_t low_ = 0;
  std::uintptr_t end_address_ = 0;
};

// W1, W2 and W3 of one frame of the previous walk. Its slots are looked at only where they are on
// the stack of today.
inline bool SelfUnwinder::Walk::is_unchanged(const Frame& frame) const {
  if (!readable(frame.slot) || stack_word(frame.slot) != frame.return_address) return false;
  if (frame.bp_matters && frame.bp_home != 0) {
    const std::uintptr_t home =
        frame.slot + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(frame.bp_home));
    if (!readable(home) || stack_word(home) != frame.bp) return false;
  }
  return frame.cfa_home == 0 ||
         (readable(frame.cfa_home) && stack_word(frame.cfa_home) == frame.slot + 8);
}

// Whether the walk has come to a frame of the previous one from which on nothing has changed; then
// candidates_ counts it and those outside of it. Slots rise outwards in both, so that each previous
// frame is passed once, and compared with the stack once.
inline bool SelfUnwinder::Walk::join() {
  const std::uintptr_t slot = top_->slot;
  while (candidates_ != 0 && frames_[candidates_ - 1].slot < slot) --candidates_;
  if (candidates_ == 0 || frames_[candidates_ - 1].slot != slot) return false;
  const Frame& met = frames_[candidates_ - 1];
  if (met.return_address != top_->return_address || (met.bp_matters && met.bp != top_->bp) ||
      met.is_last_of_join || top_->is_last_of_join) {
    --candidates_;
    return false;
  }
  // A previous walk that was cut short knows less than is wanted now, if this one is less deep.
  if (owner_.end_ == StackEnd::kDepthLimit && candidates_ - 1 + new_count() < owner_.max_depth_) {
    candidates_ = 0;
    return false;
  }
  for (std::uint32_t i = candidates_ - 1; i != 0; --i) {
    const Frame& outer = frames_[i - 1];
    if (outer.is_last_of_join || !is_unchanged(outer)) {
      candidates_ = i - 1;  // whoever joins further in has the same frame to compare
      return false;
    }
  }
  if (met.bp_matters) use_bp();
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

inline bool SelfUnwinder::Walk::push(const Frame& frame) {
  if (top_ == limit_) return stop(StackEnd::kDepthLimit, true);
  *--top_ = frame;
  return true;
}

inline bool SelfUnwinder::Walk::step_row(Row row, std::uintptr_t cfa, std::uintptr_t cfa_home) {
  if (cfa < sp_ + 8 || cfa > end_address_) [[unlikely]] {
    return stop(cfa < sp_ + 8 ? StackEnd::kNoProgress : StackEnd::kUnreadable, false);
  }
  const std::uintptr_t slot = cfa - 8;
  Frame next{
      .slot = slot, .return_address = stack_word(slot), .bp = top_->bp, .cfa_home = cfa_home};
  if (row.bp_rule() != BpRule::kKept) {
    std::uintptr_t home = cfa;
    if (row.bp_rule() == BpRule::kAtBp) {
      use_bp();
      home = top_->bp;
    }
    home += static_cast<std::uintptr_t>(row.bp_offset());
    if (!readable(home)) [[unlikely]]
      return stop(StackEnd::kUnreadable, false);
    next.bp = stack_word(home);
    next.bp_home = static_cast<std::int32_t>(home - slot);
    // Two words at one place, or further apart than 2 GiB: nonsense, but not to be believed later.
    next.is_last_of_join =
        slot + static_cast<std::uintptr_t>(static_cast<std::intptr_t>(next.bp_home)) != home ||
        next.bp_home == 0;
  }
  if (next.return_address == 0) return stop(StackEnd::kComplete, false);
  sp_ = cfa;
  return push(next);
}

bool SelfUnwinder::Walk::step_signal() {
  const auto at = [this](std::int64_t offset) { return sp_ + static_cast<std::uintptr_t>(offset); };
  if (!readable(at(kSignalPc))) return stop(StackEnd::kUnreadable, false);
  const std::uintptr_t sp = stack_word(at(kSignalSp));
  const ByteRange stack = owner_.stacks_.locate(sp, owner_.buffer_);
  if (!push({.slot = at(kSignalPc),
             .return_address = stack_word(at(kSignalPc)) + 1,
             .bp = stack_word(at(kSignalBp)),
             .is_last_of_join = true})) {
    return false;
  }
  if (!stack.contains(sp)) return stop(StackEnd::kUnreadable, false);
  use_stack(stack);
  sp_ = sp;
  return true;
}

bool SelfUnwinder::Walk::step_frame_pointer() {
  use_bp();
  const std::uintptr_t bp = top_->bp;
  // Zero marks the outermost frame (psABI, §3.4.1) but is as good a variable as any other number.
  if (bp == 0) return stop(StackEnd::kNoUnwindInfo, true);
  if (bp < sp_ || bp % 8 != 0 || !readable(bp) || !readable(bp + 8)) {
    return stop(StackEnd::kNoUnwindInfo, false);
  }
  const std::uintptr_t return_address = stack_word(bp + 8);
  if (return_address == 0 || row_of(return_address).kind() == RowKind::kNotCode) {
    return stop(StackEnd::kNoUnwindInfo, false);
  }
  ++owner_.counters_.guessed_frames;
  if (!push({.slot = bp + 8,
             .return_address = return_address,
             .bp = stack_word(bp),
             .bp_home = -8,
             .is_guess = true})) {
    return false;
  }
  sp_ = bp + 16;
  return true;
}

inline bool SelfUnwinder::Walk::step() {
  const Row row = row_of(top_->return_address);
  const auto offset = static_cast<std::uintptr_t>(row.cfa_offset());
  switch (row.kind()) {
    case RowKind::kSp:
      return step_row(row, sp_ + offset, 0);
    case RowKind::kBp:
      use_bp();
      return step_row(row, top_->bp + offset, 0);
    case RowKind::kBpDeref: {
      use_bp();
      const std::uintptr_t home = top_->bp + offset;
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
      return stop(StackEnd::kNoUnwindInfo, false);
  }
  __builtin_unreachable();
}

bool SelfUnwinder::start(CodeTable& code, std::uint32_t max_depth) {
  const std::size_t frame_bytes = std::size_t{max_depth} * sizeof(Frame);
  const std::size_t bytes = 2 * frame_bytes + std::size_t{max_depth} * sizeof(std::uintptr_t);
  auto* const memory = static_cast<std::byte*>(map_zeroed(in_map_steps(bytes)));
  if (memory == nullptr) return false;
  frames_ = reinterpret_cast<Frame*>(memory);
  new_frames_ = reinterpret_cast<Frame*>(memory + frame_bytes);
  pcs_ = reinterpret_cast<std::uintptr_t*>(memory + 2 * frame_bytes);
  code_ = &code;
  max_depth_ = max_depth;
  count_ = 0;
  return true;
}

void SelfUnwinder::stop() {
  if (frames_ == nullptr) return;
  const std::size_t bytes = std::size_t{max_depth_} * (2 * sizeof(Frame) + sizeof(std::uintptr_t));
  kernel::vm::unmap(frames_, in_map_steps(bytes));
  frames_ = nullptr;
  count_ = 0;
}

// Puts the new frames behind those that stay. In a stack that is deeper than wanted the outermost
// make room.
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
    std::memmove(frames_, frames_ + dropped, kept * sizeof(Frame));
    std::memmove(pcs_, pcs_ + dropped, kept * sizeof(std::uintptr_t));
    chain->unchanged_outer = 0;
    end_ = StackEnd::kDepthLimit;
  }
  bool has_guess = kept != 0 && frames_[kept - 1].has_guess_outside;
  for (std::uint32_t i = 0; i < added; ++i) {
    Frame& frame = frames_[kept + i];
    frame = walk.begin()[i];
    has_guess = has_guess || frame.is_guess;
    frame.has_guess_outside = has_guess;
    pcs_[kept + i] = frame.return_address;
  }
  count_ = kept + added;
  chain->pcs = pcs_;
  chain->count = count_;
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
    if (generation != generation_) count_ = 0;
    generation_ = generation;
    Walk walk(*this, stack);
    walk.run(caller);
    finish(walk, &chain);
  }
  counters_.frames += chain.count;
  ++counters_.ends[static_cast<std::size_t>(chain.end)];
  return chain;
}

}  // namespace mini::unwind::self
