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

void TimelineBuilder::sampled(std::uint64_t time_ns, const KernelLevels& levels) {
  if (time_ns >= bucket_end_ns_) advance(time_ns);
  keep_most(current(), levels);
}

model::Timeline TimelineBuilder::finish(std::uint64_t time_ns) {
  if (time_ns >= bucket_end_ns_) advance(time_ns);
  close_bucket();
  return std::move(timeline_);
}

/// The last bucket gets what was counted in it.
void TimelineBuilder::close_bucket() {
  model::TimelineBucket& bucket = current();
  bucket.allocations += std::exchange(allocations_, 0);
  bucket.most_live_bytes =
      std::max(bucket.most_live_bytes, std::exchange(most_live_bytes_, live_bytes_));
  bucket.last_live_bytes = live_bytes_;
  most_before_last_ = 0;
}

/// Makes the bucket of a time the last one. What is live stays so in the buckets between.
void TimelineBuilder::advance(std::uint64_t time_ns) {
  close_bucket();
  while (time_ns / timeline_.bucket_ns >= most_buckets_) halve();
  while (timeline_.buckets.size() <= time_ns / timeline_.bucket_ns) {
    timeline_.buckets.push_back({.most_live_bytes = live_bytes_, .last_live_bytes = live_bytes_});
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
