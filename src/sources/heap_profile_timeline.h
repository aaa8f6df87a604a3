// Live bytes and resident memory over time, in a bounded number of buckets of equal width: when the
// recording outgrows them, two become one.
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>

#include "model/heap_profile.h"

namespace mini::sources {

/// What the kernel held for the process at a moment.
struct KernelLevels {
  std::uint64_t resident_bytes = 0;
  std::uint64_t break_bytes = 0;
  std::uint64_t mapped_bytes = 0;
};

/// What the program had and did up to a moment.
struct HeapLevels {
  std::uint64_t live_bytes = 0;
  std::uint64_t allocations = 0;  // so far
};

/// Times never go back. Every bucket up to the last has been passed: nothing is left out between.
class TimelineBuilder {
 public:
  explicit TimelineBuilder(std::size_t most_buckets = 512, std::uint64_t first_bucket_ns = 1024);

  /// What follows happens at a time; `levels`: of before.
  void pass_to(std::uint64_t time_ns, const HeapLevels& levels) {
    if (time_ns >= bucket_end_ns_) [[unlikely]]
      advance(time_ns, levels);
  }
  /// More is live than before. Returns whether it is as much as the bucket has had, which most of a
  /// bucket's allocations do not come to.
  bool rose(std::uint64_t live_bytes) {
    if (live_bytes < most_live_bytes_) [[likely]]
      return false;
    most_before_last_ = most_live_bytes_;
    most_live_bytes_ = live_bytes;
    return true;
  }
  /// The last allocation, after which nothing was freed, is none. `live_bytes`: with it.
  void taken_back(std::uint64_t live_bytes, std::uint64_t allocation_bytes) {
    if (most_live_bytes_ != live_bytes) return;
    most_live_bytes_ = std::max(most_before_last_, live_bytes - allocation_bytes);
  }
  void sampled(const KernelLevels& levels);

  /// Everything up to a time; nothing may follow.
  model::Timeline finish(std::uint64_t time_ns, const HeapLevels& levels);

 private:
  model::TimelineBucket& current() { return timeline_.buckets.back(); }
  void close_bucket(const HeapLevels& levels);
  void advance(std::uint64_t time_ns, const HeapLevels& levels);
  void halve();
  void set_end();

  model::Timeline timeline_;
  std::size_t most_buckets_;
  std::uint64_t bucket_end_ns_ = 0;       // of the last bucket, as what follows
  std::uint64_t most_live_bytes_ = 0;     // since the bucket began, as the next one
  std::uint64_t most_before_last_ = 0;    // without what made most_live_bytes_
  std::uint64_t allocations_before_ = 0;  // the bucket
};

}  // namespace mini::sources
