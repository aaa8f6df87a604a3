// What blocks add up to, and the tables of it: two cache lines each, of which an event needs the
// first one.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

#include "model/heap_profile.h"

namespace mini::sources {

/// Exact below 2^63; a conversion of all values takes a branch more.
inline double to_double(std::uint64_t number) {
  return static_cast<double>(static_cast<std::int64_t>(number));
}

/// Of a stack; or of a thread and a range of sizes, which is called a cell. K1 and K2 in
/// heap_profile_builder.h say what `epoch` and `saved` are.
struct alignas(64) HeapCounter {
  model::Amount allocated;
  model::Amount gone;  // freed or lost
  std::uint64_t epoch = 0;
  double lifetime_ns = 0;
  double held_byte_ns = 0;    // of stacks: of blocks that are gone
  std::uint64_t last_ns = 0;  // of stacks, as first_ns

  model::Amount saved;
  model::Amount temporary;
  std::uint64_t resized = 0;
  std::uint64_t first_ns = 0;
  std::uint32_t owner = 0;  // a stack's node, a cell's thread
  std::uint32_t rare = 0;   // position of its RareCounter; 0: it has none
  std::uint32_t part = 0;   // a cell's range of sizes; a stack's part, where stacks are divided
  // Of a stack whose small blocks were asked for with one size so far: 1 more than it. 0: none was.
  std::uint32_t only_size = 0;
  static constexpr std::uint32_t kSeveralSizes = UINT32_MAX;

  /// REQUIRES: `bytes` is that of a small block, see UsableSizeCounter.
  void note_size(std::uint64_t bytes) {
    const auto size = static_cast<std::uint32_t>(bytes + 1);
    // No branch: half of a program's stacks may have several sizes.
    const bool is_only = (only_size == 0) | (only_size == size);
    only_size = is_only ? size : kSeveralSizes;
  }

  void note_other_size() { only_size = kSeveralSizes; }

  model::Amount live() const {
    model::Amount live = allocated;
    return live -= gone;
  }
};
static_assert(sizeof(HeapCounter) == 128);

/// What few counters have.
struct RareCounter {
  model::Amount lost;
  model::Amount unreachable;
  model::Amount lost_indirectly;
  // Of stacks: that had to go for a block of the same stack; [1]: for a larger one.
  std::array<model::Amount, 2> made_room{};
  double allocated_variance = 0;
  // The part of a block that is not yet counted, where the recording samples. Below 0: none is.
  double carry = -1;
};

/// Counters by number, from 1 on. 0 is there, and nobody's.
class HeapCounters {
 public:
  /// References are good until the next add().
  HeapCounter& operator[](std::uint32_t number) { return counters_[number]; }
  const HeapCounter& operator[](std::uint32_t number) const { return counters_[number]; }
  std::uint32_t size() const { return static_cast<std::uint32_t>(counters_.size()); }

  /// Returns its number.
  std::uint32_t add() {
    counters_.emplace_back();
    return size() - 1;
  }

  RareCounter& rare_of(HeapCounter& counter) {
    if (counter.rare == 0) {
      if (rare_.empty()) rare_.emplace_back();
      counter.rare = static_cast<std::uint32_t>(rare_.size());
      rare_.emplace_back();
    }
    return rare_[counter.rare];
  }
  RareCounter rare_or_none(const HeapCounter& counter) const {
    return counter.rare == 0 ? RareCounter{} : rare_[counter.rare];
  }

 private:
  std::vector<HeapCounter> counters_{1};
  std::vector<RareCounter> rare_;  // 0: not used
};

}  // namespace mini::sources
