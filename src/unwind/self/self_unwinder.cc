// What is kept of a walk, and how much of it the next one need not do again.
#include "unwind/self/self_unwinder.h"

#include <algorithm>
#include <cstring>

#include "unwind/self/own_memory.h"
#include "unwind/self/stack_word.h"
#include "unwind/self/walk.h"

namespace mini::unwind::self {
namespace {

constexpr std::uint64_t kSeedStep = 0xd6e8'feb8'6659'fd93U;  // odd: no seed comes again

}  // namespace

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
  // NOLINTNEXTLINE(clang-analyzer-core.NullDereference): without frames there is nothing to join
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
      Walk walk(*this, caller.sp, stack);
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
