#include "sources/usable_size_counter.h"

#include <algorithm>
#include <bit>

namespace mini::sources {
namespace {

// Small usable sizes have a class each; beyond come classes of powers of two.
constexpr std::size_t kSmallClasses = 4100;

}  // namespace

void UsableSizeCounter::told(const recording::UsableSize& usable) {
  if (usable.usable_bytes < usable.requested_bytes ||
      usable.usable_bytes > recording::kMostBlockBytes) {
    return;
  }
  if (!is_used_) {
    is_used_ = true;
    usable_.resize(kMostSmallBytes / kStepBytes + 1);
    counters_.resize(kSmallClasses + 65);
  }
  if (usable.requested_bytes > kMostSmallBytes) {
    large_ = usable;
    return;
  }
  // The first one holds: what a block counts in must be what it was counted in.
  std::uint64_t& known = usable_[(usable.requested_bytes + kStepBytes - 1) / kStepBytes];
  if (known == 0) known = usable.usable_bytes;
}

std::size_t UsableSizeCounter::class_of(std::uint64_t usable_bytes) {
  const std::uint64_t step = (usable_bytes + kStepBytes - 1) / kStepBytes;
  return step < kSmallClasses
             ? static_cast<std::size_t>(step)
             : kSmallClasses + static_cast<std::size_t>(std::bit_width(usable_bytes));
}

UsableSizeCounter::Counter& UsableSizeCounter::counter(std::uint64_t usable_bytes) {
  return counters_[class_of(usable_bytes)];
}

void UsableSizeCounter::keep(Counter& counter, std::uint64_t epoch) {
  if (counter.epoch == epoch) return;
  counter.saved = counter.live;
  counter.epoch = epoch;
}

// A block of no bytes may be one that became a pool's memory, which is then nobody's overhead.
void UsableSizeCounter::allocated(Address address, std::uint64_t bytes, std::uint64_t epoch,
                                  bool is_new_maximum) {
  if (bytes == 0) return;
  std::uint64_t usable = 0;
  if (bytes <= kMostSmallBytes) {
    usable = usable_[(bytes + kStepBytes - 1) / kStepBytes];
  } else if (large_.requested_bytes == bytes) {
    usable = large_.usable_bytes;
    large_ = {};
    large_blocks_[address.value] = usable;
  }
  if (usable == 0) return;
  Counter& mine = counter(usable);
  if (!is_new_maximum) keep(mine, epoch);
  for (Live* live : {&mine.live, &mine.allocated}) {
    live->requested += {.blocks = 1, .bytes = bytes};
    live->usable_bytes += usable;
  }
}

void UsableSizeCounter::freed(Address address, std::uint64_t bytes, std::uint64_t epoch) {
  if (bytes == 0) return;
  std::uint64_t usable = 0;
  if (bytes <= kMostSmallBytes) {
    usable = usable_[(bytes + kStepBytes - 1) / kStepBytes];
  } else if (const auto found = large_blocks_.find(address.value); found != large_blocks_.end()) {
    usable = found->second;
    large_blocks_.erase(found);
  }
  if (usable == 0) return;
  Counter& mine = counter(usable);
  // Allocated before anything was said of its size.
  if (mine.live.requested.bytes < bytes || mine.live.usable_bytes < usable) return;
  keep(mine, epoch);
  mine.live.requested -= {.blocks = 1, .bytes = bytes};
  mine.live.usable_bytes -= usable;
}

model::UsableSizes UsableSizeCounter::finish(std::uint64_t epoch) const {
  model::UsableSizes sizes;
  sizes.is_known = is_used_;
  for (std::size_t i = 0; i < counters_.size(); ++i) {
    const Counter& counter = counters_[i];
    if (counter.allocated.requested.blocks == 0) continue;
    const Live& peak = counter.epoch == epoch ? counter.saved : counter.live;
    model::UsableProfile one;
    const std::size_t bits = i - std::min(i, kSmallClasses);
    one.least_usable_bytes = i < kSmallClasses ? i * kStepBytes : std::uint64_t{1} << (bits - 1);
    one.most_usable_bytes =
        i < kSmallClasses ? i * kStepBytes : (std::uint64_t{1} << (bits - 1)) * 2 - 1;
    one.allocated = counter.allocated.requested;
    one.allocated_usable_bytes = counter.allocated.usable_bytes;
    one.peak = peak.requested;
    one.peak_usable_bytes = peak.usable_bytes;
    sizes.classes.push_back(one);
    sizes.totals.allocated += one.allocated;
    sizes.totals.allocated_usable_bytes += one.allocated_usable_bytes;
    sizes.totals.peak += one.peak;
    sizes.totals.peak_usable_bytes += one.peak_usable_bytes;
  }
  return sizes;
}

}  // namespace mini::sources
