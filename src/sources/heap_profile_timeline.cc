#include "sources/heap_profile_timeline.h"

#include <algorithm>
#include <utility>

#include "base/checked.h"

namespace mini::sources {
namespace {

void keep_most(model::TimelineBucket& bucket, const KernelLevels& levels) {
  bucket.resident_bytes = std::max(bucket.resident_bytes, levels.resident_bytes);
  bucket.break_bytes = std::max(bucket.break_bytes, levels.break_bytes);
  bucket.mapped_bytes = std::max(bucket.mapped_bytes, levels.mapped_bytes);
}

}  // namespace

TimelineBuilder::TimelineBuilder(std::size_t most_buckets, std::uint64_t first_bucket_ns)
    : most_buckets_(std::max<std::size_t>(most_buckets, 2)) {
  timeline_.bucket_ns = std::max<std::uint64_t>(first_bucket_ns, 1);
  timeline_.buckets.emplace_back();
  set_end();
}

void TimelineBuilder::sampled(const KernelLevels& levels) {
  keep_most(current(), levels);
}

model::Timeline TimelineBuilder::finish(std::uint64_t time_ns, const HeapLevels& levels) {
  pass_to(time_ns, levels);
  close_bucket(levels);
  return std::move(timeline_);
}

/// The last bucket gets what was counted in it. Of the allocations before it some may have turned
/// out to be none.
void TimelineBuilder::close_bucket(const HeapLevels& levels) {
  model::TimelineBucket& bucket = current();
  bucket.allocations += std::max(levels.allocations, allocations_before_) - allocations_before_;
  allocations_before_ = levels.allocations;
  bucket.most_live_bytes =
      std::max(bucket.most_live_bytes, std::exchange(most_live_bytes_, levels.live_bytes));
  bucket.last_live_bytes = levels.live_bytes;
  most_before_last_ = 0;
}

/// Makes the bucket of a time the last one. What is live stays so in the buckets between.
void TimelineBuilder::advance(std::uint64_t time_ns, const HeapLevels& levels) {
  close_bucket(levels);
  while (time_ns / timeline_.bucket_ns >= most_buckets_) halve();
  while (timeline_.buckets.size() <= time_ns / timeline_.bucket_ns) {
    timeline_.buckets.push_back(
        {.most_live_bytes = levels.live_bytes, .last_live_bytes = levels.live_bytes});
  }
  set_end();
}

void TimelineBuilder::halve() {
  auto& buckets = timeline_.buckets;
  std::size_t kept = 0;
  for (std::size_t i = 0; i < buckets.size(); i += 2) {
    model::TimelineBucket bucket = buckets[i];
    if (i + 1 < buckets.size()) {
      const model::TimelineBucket& second = buckets[i + 1];
      bucket.most_live_bytes = std::max(bucket.most_live_bytes, second.most_live_bytes);
      bucket.last_live_bytes = second.last_live_bytes;
      keep_most(bucket, {second.resident_bytes, second.break_bytes, second.mapped_bytes});
      bucket.allocations += second.allocations;
    }
    buckets[kept++] = bucket;
  }
  buckets.resize(kept);
  timeline_.bucket_ns *= 2;
}

void TimelineBuilder::set_end() {
  bucket_end_ns_ = checked_multiply<std::uint64_t>(timeline_.bucket_ns, timeline_.buckets.size())
                       .value_or(UINT64_MAX);
}

}  // namespace mini::sources
