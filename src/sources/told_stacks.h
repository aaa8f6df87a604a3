// The stacks that a ring has told of: their numbers there become those of the recording.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

#include "recording/event.h"
#include "wire/record.h"

namespace mini::sources {

class ToldStacks {
 public:
  /// By the ring's numbers: 0 of a stack that it has not told of. Valid until it tells of one.
  class Numbers {
   public:
    explicit Numbers(std::span<const recording::StackNumber> numbers) : numbers_(numbers) {}
    recording::StackNumber operator[](std::uint64_t ring_number) const {
      return ring_number < numbers_.size() ? numbers_[ring_number] : 0;
    }

   private:
    std::span<const recording::StackNumber> numbers_;
  };
  Numbers numbers() const { return Numbers(numbers_); }
  /// How many numbers there are, 0 among them.
  std::size_t count() const { return numbers_.size(); }

  /// A record that begins with `word` and has so many frames: extend(stack, i) is the stack of its
  /// i-th, from 1 on, called by `stack`. False where no agent wrote it: it keeps more frames than
  /// there were, or makes a stack deeper than any.
  template <typename Extend>
  bool add(std::uint64_t word, std::uint32_t frames, Extend&& extend) {
    if ((wire::detail_of(word) & wire::kForgetsStacks) != 0) {
      numbers_.resize(1);
      told_.clear();
    }
    const std::uint32_t kept = wire::kept_of(word);
    if (kept > told_.size() || frames > wire::kMostFrames - kept ||
        numbers_.size() > wire::kMostStacks) {
      return false;
    }
    told_.resize(kept);
    recording::StackNumber stack = told_.empty() ? 0 : told_.back();
    for (std::uint32_t i = 1; i <= frames; ++i) told_.push_back(stack = extend(stack, i));
    if ((wire::detail_of(word) & wire::kGoesOn) == 0) numbers_.push_back(stack);
    return true;
  }

 private:
  // As the ring numbers them; and the one told of last, by how many of its frames, less one.
  std::vector<recording::StackNumber> numbers_ = std::vector<recording::StackNumber>(1);
  std::vector<recording::StackNumber> told_;
};

}  // namespace mini::sources
