#include "unwind/self/walk.h"

// glibc's loader keeps the stack pointer that the kernel gave the process.
extern "C" __attribute__((weak)) void* mini_first_stack_pointer asm("__libc_stack_end");

namespace mini::unwind::self {
namespace {

// Where the frame is of the loader's own first code, which calls the constructors of libraries. It
// has no call frame information, and is the outermost: _dl_start_user of glibc 2.36,
// sysdeps/x86_64/dl-machine.h.
std::uintptr_t where_the_process_began() {
  if (&mini_first_stack_pointer == nullptr) return 0;
  return reinterpret_cast<std::uintptr_t>(mini_first_stack_pointer);
}

}  // namespace

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

// What was no code may be code by now: a compiler of the program's may have written it there, or
// have taken the right to execute its pages away only while it wrote. No walk rests on such a row:
// a stack ends at it, and is not joined.
inline bool SelfUnwinder::Walk::is_worth_another_look(Row row) {
  constexpr std::uint32_t kPeriod = 1024;  // to look costs as much as many walks
  return row.kind() == RowKind::kNotCode && ++owner_.not_code_count_ % kPeriod == 0;
}

inline Row SelfUnwinder::Walk::row_of(std::uintptr_t return_address) {
  // One less: a call may be the last instruction of its function.
  const Row row = RowCache::find(table_, return_address - 1);
  if (row.kind() != RowKind::kAbsent && !is_worth_another_look(row)) [[likely]]
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
  stack_ = frames_from(sp, stack);
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

}  // namespace mini::unwind::self
