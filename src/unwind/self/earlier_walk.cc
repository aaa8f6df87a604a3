// A program that allocates by turns in two functions finds the frames of both in other places each
// time, and yet in those of the time before.
#include "unwind/self/earlier_walk.h"

#include "unwind/self/self_unwinder.h"

namespace mini::unwind::self {

// As find_key() of the last walk does.
bool SelfUnwinder::find_earlier_key(const CallerRegisters& caller, std::uint64_t* key) {
  const std::uintptr_t slot = caller.sp - 8;
  EarlierWalk& walk = earlier_[earlier_walk_index(slot)];
  if (walk.slot != slot || walk.era != era_ || walk.count == 0) return false;
  ++walk.balance;
  if (walk.bp_matters != 0 && walk.bp != caller.bp) return false;
  if (code_->rows().generation() != generation_) return false;
  const ByteRange stack = stacks_.locate(caller.sp, buffer_);
  if (!stack.contains(caller.sp) ||
      !holds_word(stack, slot + walk.steps[0] * sizeof(std::uintptr_t))) {
    return false;
  }
  for (std::uint32_t i = 0; i < walk.words_count; ++i) {
    const EarlierWalk::Word& word = walk.words[i];
    if (!holds_word(stack, slot + word.home, slot + word.held)) return false;
  }
  const std::uint32_t outer = walk.count - 1;
  std::uint64_t sum = walk.seed + caller.return_address * places_[outer].factor;
  for (std::uint32_t i = 0; i < outer; ++i) {
    sum += stack_word(slot + walk.steps[i] * sizeof(std::uintptr_t)) * places_[i].factor;
  }
  *key = sum;
  return true;
}

// Has visit(word) called for each that the last walk went by, up to one for which it is false; then
// this is, too, and where there is something that a walk of its own has to look at.
template <typename Visit>
bool SelfUnwinder::visit_words(Visit visit) const {
  const Frame& innermost = frames_[count_ - 1];
  const auto visit_word = [&](std::uintptr_t home, std::uintptr_t held) {
    const std::uintptr_t home_bytes = home - innermost.slot;
    const std::uintptr_t held_bytes = held - innermost.slot;
    return home_bytes <= UINT32_MAX && held_bytes <= UINT32_MAX &&
           visit(EarlierWalk::Word{static_cast<std::uint32_t>(home_bytes),
                                   static_cast<std::uint32_t>(held_bytes)});
  };
  for (std::uint32_t i = 0; i < demanding_count_; ++i) {
    const Frame& frame = frames_[i];
    if (frame.is(Frame::kSealed)) return false;
    if (&frame == &innermost) break;
    if (frame.is(Frame::kBpMatters) && frame.bp_home != 0 &&
        !visit_word(frame.slot + static_cast<std::uintptr_t>(std::intptr_t{frame.bp_home}),
                    frame.bp)) {
      return false;
    }
    if (frame.is(Frame::kHasCfaHome) && !visit_word(frame.cfa_home, frame.slot + 8)) return false;
  }
  return true;
}

// Where it is more than there is room for, the walk stays unknown. REQUIRES: it is.
void SelfUnwinder::describe_walk(EarlierWalk* walk) const {
  const Frame& innermost = frames_[count_ - 1];
  walk->bp_matters = innermost.is(Frame::kBpMatters) ? 1 : 0;
  walk->bp = innermost.bp;
  walk->words_count = 0;
  const bool has_room = visit_words([walk](EarlierWalk::Word word) {
    if (walk->words_count == EarlierWalk::kMostWords) return false;
    walk->words[walk->words_count++] = word;
    return true;
  });
  if (!has_room) return;
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uintptr_t bytes = places_[i].slot - innermost.slot;
    walk->steps[i] = static_cast<std::uint32_t>(bytes / sizeof(std::uintptr_t));
    if (walk->steps[i] * sizeof(std::uintptr_t) != bytes) return;
  }
  walk->count = count_;
}

// Whether the last walk went by all that this one did, but for return addresses.
bool SelfUnwinder::went_as(const EarlierWalk& walk) const {
  if (walk.count != count_) return false;
  for (std::uint32_t i = count_; i != 0; --i) {
    if (places_[i - 1].slot != walk.slot + walk.steps[i - 1] * sizeof(std::uintptr_t)) return false;
  }
  const Frame& innermost = frames_[count_ - 1];
  const bool bp_matters = innermost.is(Frame::kBpMatters);
  if (bp_matters != (walk.bp_matters != 0) || (bp_matters && innermost.bp != walk.bp)) return false;
  std::uint32_t met_count = 0;
  const bool met_same = visit_words([&](EarlierWalk::Word word) {
    const std::uint32_t i = met_count++;
    return i < walk.words_count && walk.words[i] == word;
  });
  return met_same && met_count == walk.words_count;
}

// The walk that is done is remembered if one began at its place before. Where that one went by all
// the same, its keys go on: they say which return addresses were there.
void SelfUnwinder::remember_walk() {
  if (!may_join_ || end_ != StackEnd::kComplete || count_ > EarlierWalk::kMostFrames) return;
  const std::uintptr_t slot = frames_[count_ - 1].slot;
  EarlierWalk& earlier = earlier_[earlier_walk_index(slot)];
  if (earlier.era != era_) earlier.begin(era_);
  if (earlier.walks_to_pass != 0) {
    --earlier.walks_to_pass;
    return;
  }
  if (earlier.slot != slot) {
    if (earlier.is_worth_another()) earlier.slot = slot;
    return;
  }
  if (earlier.count != 0) {
    --earlier.balance;
    if (went_as(earlier)) {
      seed_ = earlier.seed;
      return;
    }
    if (!earlier.is_worth_another()) return;
  }
  describe_walk(&earlier);
  earlier.seed = seed_;
  earlier.balance = 0;
}

}  // namespace mini::unwind::self
