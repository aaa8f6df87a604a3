// What the allocator gave for what was asked for, by usable size. A block's usable size is what the
// allocator said of the first block of its requested size; large ones are asked one by one.
//
// What was live at the peak is found as the heap profile builder does it, by epochs: K1 and K2 in
// heap_profile_builder.h.
#pragma once

#include <array>
#include <cstdint>
#include <unordered_map>
#include <vector>

#include "base/seeded_hash.h"
#include "model/heap_profile.h"
#include "recording/event.h"
#include "sources/heap_counter.h"

namespace mini::sources {

class UsableSizeCounter {
 public:
  void told(const recording::UsableSize& usable);
  bool is_used() const { return !small_.empty(); }

  /// Whether a block is one of those whose usable size is asked for once.
  static bool is_small(std::uint64_t bytes) { return bytes <= kMostSmallBytes; }

  /// `epoch`: as of after the event. Returns whether the block counts: its usable size is known.
  /// REQUIRES: is_used(); the block has no alignment of its own, which makes its usable size
  /// another.
  bool small_allocated(std::uint64_t bytes, std::uint64_t epoch, bool is_new_maximum) {
    Small& mine = small_[step_of(bytes)];
    if (mine.usable_bytes == 0) return false;
    if (!is_new_maximum) mine.keep(epoch);
    mine.allocated += {.blocks = 1, .bytes = bytes};
    return true;
  }
  /// REQUIRES: the block counts.
  void small_freed(std::uint64_t bytes, std::uint64_t epoch) {
    Small& mine = small_[step_of(bytes)];
    mine.keep(epoch);
    mine.gone += {.blocks = 1, .bytes = bytes};
  }
  /// `stack`: a number that the block's stack has. It counts if its usable size was said just now.
  void large_allocated(Address address, std::uint64_t bytes, std::uint32_t stack,
                       std::uint64_t epoch, bool is_new_maximum);
  /// Returns its usable size; 0: it did not count.
  std::uint64_t large_freed(Address address, std::uint64_t epoch);
  struct Block {
    std::uint64_t bytes = 0;
    std::uint64_t usable_bytes = 0;
    std::uint32_t stack = 0;
  };
  /// A block that was allocated is none. `takes_back`: it made the maximum whose epoch that was.
  /// REQUIRES: the block counts.
  void small_uncounted(std::uint64_t bytes, std::uint64_t epoch, bool takes_back);
  void large_uncounted(Address address, std::uint64_t epoch, bool takes_back);
  /// What was freed was not freed. REQUIRES: the block counted.
  void small_restored(std::uint64_t bytes, std::uint64_t epoch, bool is_new_maximum);
  void large_restored(Address address, const Block& block, std::uint64_t epoch,
                      bool is_new_maximum);

  model::UsableSizes finish(std::uint64_t epoch) const;
  /// What `stack` was given for its blocks of the peak; `only_size`: HeapCounter's, of it. Nothing
  /// of what is not known, without a node.
  model::StackUsable finish_stack(std::uint32_t stack, std::uint32_t only_size, model::Amount peak,
                                  std::uint64_t epoch) const;

 private:
  /// Blocks of up to so many requested bytes as one step more than the step before.
  struct alignas(64) Small {
    model::Amount allocated;
    model::Amount gone;
    model::Amount saved;
    std::uint64_t epoch = 0;
    std::uint64_t usable_bytes = 0;  // of each; 0: not known

    model::Amount live() const {
      model::Amount live = allocated;
      return live -= gone;
    }
    void keep(std::uint64_t now) {
      if (epoch != now) [[unlikely]]
        save(now);
    }
    [[gnu::noinline]] void save(std::uint64_t now) {
      saved = live();
      epoch = now;
    }
  };
  struct Sum {
    model::Amount requested;
    std::uint64_t usable_bytes = 0;
  };
  /// Blocks whose usable sizes have the same number of bits, or that are of one stack.
  struct Large {
    Sum allocated;
    Sum live;
    Sum saved;
    std::uint64_t epoch = 0;

    void keep(std::uint64_t now) {
      if (epoch == now) return;
      saved = live;
      epoch = now;
    }
    const Sum& peak(std::uint64_t now) const { return epoch == now ? saved : live; }
  };
  static constexpr std::uint64_t kStepBytes = 8;
  static constexpr std::uint64_t kMostSmallBytes = std::uint64_t{32} << 10;

  static std::size_t step_of(std::uint64_t bytes) { return (bytes + kStepBytes - 1) / kStepBytes; }
  /// What a large block counts in.
  std::array<Large*, 2> larges_of(const Block& block);

  std::vector<Small> small_;  // by steps of requested bytes; empty: the allocator was not asked
  std::array<Large, 65> large_{};
  recording::UsableSize told_large_;              // what was said last
  SeededMap<std::uint64_t, Block> large_blocks_;  // by address
  std::unordered_map<std::uint32_t, Large> large_of_stack_;
};

}  // namespace mini::sources
