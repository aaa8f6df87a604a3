// What the allocator gave for what was asked for, by usable size. A block's usable size is what the
// allocator said of the first block of its requested size; large ones are asked one by one.
//
// What each class had at the peak is found as the heap profile builder does it, by epochs: K1 and
// K2 in heap_profile_builder.h.
#pragma once

#include <cstdint>
#include <unordered_map>
#include <vector>

#include "model/heap_profile.h"
#include "recording/event.h"

namespace mini::sources {

class UsableSizeCounter {
 public:
  void told(const recording::UsableSize& usable);
  bool is_used() const { return is_used_; }

  /// `epoch`: as of after the event. Blocks whose usable size is not known do not count.
  void allocated(Address address, std::uint64_t bytes, std::uint64_t epoch, bool is_new_maximum);
  void freed(Address address, std::uint64_t bytes, std::uint64_t epoch);

  model::UsableSizes finish(std::uint64_t epoch) const;

 private:
  struct Live {
    model::Amount requested;
    std::uint64_t usable_bytes = 0;
  };
  struct Counter {
    Live live;
    Live saved;
    Live allocated;
    std::uint64_t epoch = 0;
  };
  static constexpr std::uint64_t kStepBytes = 8;
  static constexpr std::uint64_t kMostSmallBytes = std::uint64_t{32} << 10;

  static std::size_t class_of(std::uint64_t usable_bytes);
  Counter& counter(std::uint64_t usable_bytes);
  static void keep(Counter& counter, std::uint64_t epoch);

  bool is_used_ = false;
  std::vector<std::uint64_t> usable_;  // of small blocks, by steps of requested bytes; 0: not known
  recording::UsableSize large_;        // what was said last
  std::unordered_map<std::uint64_t, std::uint64_t> large_blocks_;  // usable bytes, by address
  std::vector<Counter> counters_;
};

}  // namespace mini::sources
