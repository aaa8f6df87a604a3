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

// False where it is more than there is room for.
bool SelfUnwinder::describe_walk(EarlierWalk* walk) const {
  const Frame& innermost = frames_[count_ - 1];
  walk->words_count = 0;
  const auto add = [&](std::uintptr_t home, std::uintptr_t held) {
    const std::uintptr_t home_bytes = home - innermost.slot;
    const std::uintptr_t held_bytes = held - innermost.slot;
    if (walk->words_count == EarlierWalk::kMostWords || home_bytes > UINT32_MAX ||
        held_bytes > UINT32_MAX) {
      return false;
    }
    walk->words[walk->words_count++] = {static_cast<std::uint32_t>(home_bytes),
                                        static_cast<std::uint32_t>(held_bytes)};
    return true;
  };
  walk->bp_matters = innermost.is(Frame::kBpMatters) ? 1 : 0;
  walk->bp = walk->bp_matters != 0 ? innermost.bp : 0;
  for (std::uint32_t i = 0; i < demanding_count_; ++i) {
    const Frame& frame = frames_[i];
    if (frame.is(Frame::kSealed)) return false;
    if (&frame == &innermost) break;
    if (frame.is(Frame::kBpMatters) && frame.bp_home != 0 &&
        !add(frame.slot + static_cast<std::uintptr_t>(std::intptr_t{frame.bp_home}), frame.bp)) {
      return false;
    }
    if (frame.is(Frame::kHasCfaHome) && !add(frame.cfa_home, frame.slot + 8)) return false;
  }
  for (std::uint32_t i = 0; i < count_; ++i) {
    const std::uintptr_t bytes = places_[i].slot - innermost.slot;
    walk->steps[i] = static_cast<std::uint32_t>(bytes / sizeof(std::uintptr_t));
    if (walk->steps[i] * sizeof(std::uintptr_t) != bytes) return false;
  }
  walk->count = count_;
  return true;
}

bool SelfUnwinder::has_places_of(const EarlierWalk& walk) const {
  if (walk.count != count_) return false;
  for (std::uint32_t i = count_; i != 0; --i) {
    if (places_[i - 1].slot != walk.slot + walk.steps[i - 1] * sizeof(std::uintptr_t)) return false;
  }
  return true;
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
    EarlierWalk& walk = earlier_[kEarlierWalks];
    if (has_places_of(earlier) && describe_walk(&walk) && walk.has_words_of(earlier)) {
      seed_ = earlier.seed;
      return;
    }
    if (!earlier.is_worth_another()) return;
  }
  if (!describe_walk(&earlier)) earlier.count = 0;
  earlier.seed = seed_;
  earlier.balance = 0;
}

}  // namespace mini::unwind::self
