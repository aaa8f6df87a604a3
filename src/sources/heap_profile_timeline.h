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

/// Times never go back. Every bucket up to the last has been passed: nothing is left out between.
class TimelineBuilder {
 public:
  explicit TimelineBuilder(std::size_t most_buckets = 512, std::uint64_t first_bucket_ns = 1024);

  void allocated(std::uint64_t time_ns, std::uint64_t live_bytes) {
    if (time_ns >= bucket_end_ns_) advance(time_ns);
    ++allocations_;
    live_bytes_ = live_bytes;
    most_before_last_ = most_live_bytes_;
    most_live_bytes_ = std::max(most_live_bytes_, live_bytes);
  }
  void freed(std::uint64_t time_ns, std::uint64_t live_bytes) {
    if (time_ns >= bucket_end_ns_) advance(time_ns);
    live_bytes_ = live_bytes;
  }
  /// What was freed is live again.
  void restored(std::uint64_t time_ns, std::uint64_t live_bytes) {
    freed(time_ns, live_bytes);
    most_live_bytes_ = std::max(most_live_bytes_, live_bytes);
  }
  /// The last allocation, after which nothing was freed, is none.
  void taken_back(std::uint64_t live_bytes) {
    allocations_ -= std::min<std::uint64_t>(allocations_, 1);
    live_bytes_ = live_bytes;
    most_live_bytes_ = std::max(most_before_last_, live_bytes);
  }
  void sampled(std::uint64_t time_ns, const KernelLevels& levels);

  /// Everything up to a time; nothing may follow.
  model::Timeline finish(std::uint64_t time_ns);

 private:
  model::TimelineBucket& current() { return timeline_.buckets.back(); }
  void close_bucket();
  void advance(std::uint64_t time_ns);
  void halve();
  void set_end();

  model::Timeline timeline_;
  std::size_t most_buckets_;
  std::uint64_t bucket_end_ns_ = 0;  // of the last bucket, as what follows
  std::uint64_t allocations_ = 0;
  std::uint64_t live_bytes_ = 0;
  std::uint64_t most_live_bytes_ = 0;   // since the bucket began, as the next one
  std::uint64_t most_before_last_ = 0;  // without the last allocation
};

}  // namespace mini::sources
