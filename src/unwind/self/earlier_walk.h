// Where the frames of an earlier walk were, so that one that goes the same way need not be walked.
#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>

namespace mini::unwind::self {

/// All that a walk went by but for its return addresses: see SelfUnwinder::Frame. Zero bytes are
/// none's.
struct EarlierWalk {
  static constexpr std::uint32_t kMostFrames = 128;
  static constexpr std::uint32_t kMostWords = 32;  // code with frame pointers has one a frame

  /// A word that has to be what it was, W2 or W3: its place and what it held, an address of the
  /// stack; both in bytes from `slot`.
  struct Word {
    std::uint32_t home;
    std::uint32_t held;
    bool operator==(const Word&) const = default;
  };

  std::uint64_t era;         // the unwinder's when it was walked
  std::uintptr_t slot;       // the innermost
  std::uint64_t seed;        // of its keys
  std::uintptr_t bp;         // the innermost frame's, compared where bp_matters
  std::uint32_t bp_matters;  // 0 or 1
  std::uint32_t count;       // of frames; 0: it was met, and is not known
  std::uint32_t words_count;
  std::int32_t balance;         // how often it was asked for a key, less the walks that followed
  std::uint32_t useless_count;  // ways in a row that saved no walk
  std::uint32_t walks_to_pass;  // before another one is remembered
  std::array<Word, kMostWords> words;
  std::array<std::uint32_t, kMostFrames> steps;  // from `slot`, in words, the outermost first

  void begin(std::uint64_t in_era) {
    era = in_era;
    slot = 0;
    count = useless_count = walks_to_pass = 0;
  }
  /// To be asked where a walk went another way; then this one is not known any more. Where nearly
  /// each does so, remembering them is in vain.
  bool is_worth_another() {
    constexpr std::int32_t kEnough = 4;
    constexpr std::uint32_t kFew = 1;
    constexpr std::uint32_t kMost = 8;
    if (count == 0) return true;
    useless_count = balance >= kEnough ? 0 : std::min(useless_count + 1, kMost);
    walks_to_pass = useless_count > kFew ? 1U << useless_count : 0;
    count = 0;
    return walks_to_pass == 0;
  }
};

inline constexpr std::size_t kEarlierWalks = 32;

/// What is called from one function has its slots close to each other.
constexpr std::size_t earlier_walk_index(std::uintptr_t slot) {
  return slot / 16 % kEarlierWalks;
}

}  // namespace mini::unwind::self
