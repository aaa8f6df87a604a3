#include "sources/usable_size_counter.h"

#include <algorithm>
#include <bit>
#include <map>

namespace mini::sources {
namespace {

// Usable sizes below have a class each; beyond, all with the same number of bits have one.
constexpr std::uint64_t kFirstRangeBytes = std::uint64_t{32} << 10;

model::UsableProfile class_of(std::uint64_t usable_bytes) {
  if (usable_bytes < kFirstRangeBytes) {
    return {.least_usable_bytes = usable_bytes, .most_usable_bytes = usable_bytes};
  }
  const std::uint64_t least = std::bit_floor(usable_bytes);
  return {.least_usable_bytes = least, .most_usable_bytes = 2 * least - 1};
}

}  // namespace

void UsableSizeCounter::told(const recording::UsableSize& usable) {
  if (usable.usable_bytes < usable.requested_bytes ||
      usable.usable_bytes > recording::kMostBlockBytes) {
    return;
  }
  if (!is_used()) small_.resize(step_of(kMostSmallBytes) + 1);
  if (usable.requested_bytes > kMostSmallBytes) {
    told_large_ = usable;
    return;
  }
  // The first one holds: what a block counts in must be what it was counted in. An allocator may
  // say exactly what was asked for (AddressSanitizer's): others of this step have asked for more.
  const std::size_t step = step_of(usable.requested_bytes);
  std::uint64_t& known = small_[step].usable_bytes;
  if (known == 0) known = std::max(usable.usable_bytes, step * kStepBytes);
}

void UsableSizeCounter::large_allocated(Address address, std::uint64_t bytes, std::uint32_t stack,
                                        std::uint64_t epoch, bool is_new_maximum) {
  if (told_large_.requested_bytes != bytes) return;
  const Block block{.bytes = bytes, .usable_bytes = told_large_.usable_bytes, .stack = stack};
  told_large_ = {};
  large_blocks_[address.value] = block;
  for (Large* mine : larges_of(block)) {
    if (!is_new_maximum) mine->keep(epoch);
    for (Sum* sum : {&mine->live, &mine->allocated}) {
      sum->requested += {.blocks = 1, .bytes = bytes};
      sum->usable_bytes += block.usable_bytes;
    }
  }
}

std::uint64_t UsableSizeCounter::large_freed(Address address, std::uint64_t epoch) {
  const auto found = large_blocks_.find(address.value);
  if (found == large_blocks_.end()) return 0;
  const Block block = found->second;
  large_blocks_.erase(found);
  for (Large* mine : larges_of(block)) {
    mine->keep(epoch);
    mine->live.requested -= {.blocks = 1, .bytes = block.bytes};
    mine->live.usable_bytes -= block.usable_bytes;
  }
  return block.usable_bytes;
}

void UsableSizeCounter::small_uncounted(std::uint64_t bytes, std::uint64_t epoch, bool takes_back) {
  Small& mine = small_[step_of(bytes)];
  if (!takes_back) mine.keep(epoch);
  mine.allocated -= {.blocks = 1, .bytes = bytes};
}

void UsableSizeCounter::large_uncounted(Address address, std::uint64_t epoch, bool takes_back) {
  const auto found = large_blocks_.find(address.value);
  if (found == large_blocks_.end()) return;
  for (Large* mine : larges_of(found->second)) {
    if (!takes_back) mine->keep(epoch);
    for (Sum* sum : {&mine->live, &mine->allocated}) {
      sum->requested -= {.blocks = 1, .bytes = found->second.bytes};
      sum->usable_bytes -= found->second.usable_bytes;
    }
  }
  large_blocks_.erase(found);
}

void UsableSizeCounter::small_restored(std::uint64_t bytes, std::uint64_t epoch,
                                       bool is_new_maximum) {
  Small& mine = small_[step_of(bytes)];
  if (!is_new_maximum) mine.keep(epoch);
  mine.gone -= {.blocks = 1, .bytes = bytes};
}

void UsableSizeCounter::large_restored(Address address, const Block& block, std::uint64_t epoch,
                                       bool is_new_maximum) {
  large_blocks_[address.value] = block;
  for (Large* mine : larges_of(block)) {
    if (!is_new_maximum) mine->keep(epoch);
    mine->live.requested += {.blocks = 1, .bytes = block.bytes};
    mine->live.usable_bytes += block.usable_bytes;
  }
}

std::array<UsableSizeCounter::Large*, 2> UsableSizeCounter::larges_of(const Block& block) {
  return {&large_[static_cast<std::size_t>(std::bit_width(block.usable_bytes))],
          &large_of_stack_[block.stack]};
}

model::StackUsable UsableSizeCounter::finish_stack(std::uint32_t stack, std::uint32_t only_size,
                                                   model::Amount peak, std::uint64_t epoch) const {
  model::StackUsable known;
  if (const auto large = large_of_stack_.find(stack); large != large_of_stack_.end()) {
    const Sum& sum = large->second.peak(epoch);
    known.peak = sum.requested;
    known.peak_usable_bytes = sum.usable_bytes;
    peak -= sum.requested;
  }
  // A damaged recording may have let a large block pass as a small one: then the sums do not fit.
  const std::uint64_t bytes = only_size - std::uint64_t{1};
  if (only_size == 0 || only_size == HeapCounter::kSeveralSizes || !is_used() ||
      peak.bytes != peak.blocks * bytes) {
    return known;
  }
  const std::uint64_t usable = small_[step_of(bytes)].usable_bytes;
  if (usable == 0 || peak.blocks == 0) return known;
  known.block_bytes = known.peak.blocks == 0 ? bytes : 0;
  known.peak += peak;
  known.peak_usable_bytes += peak.blocks * usable;
  return known;
}

model::UsableSizes UsableSizeCounter::finish(std::uint64_t epoch) const {
  model::UsableSizes sizes;
  sizes.is_known = is_used();
  std::map<std::uint64_t, model::UsableProfile> classes;  // by their least usable size
  const auto add = [&](std::uint64_t usable_bytes, const Sum& allocated, const Sum& peak) {
    const model::UsableProfile fresh = class_of(usable_bytes);
    model::UsableProfile& one = classes.emplace(fresh.least_usable_bytes, fresh).first->second;
    for (model::UsableProfile* to : {&one, &sizes.totals}) {
      to->allocated += allocated.requested;
      to->allocated_usable_bytes += allocated.usable_bytes;
      to->peak += peak.requested;
      to->peak_usable_bytes += peak.usable_bytes;
    }
  };
  for (const Small& small : small_) {
    if (small.allocated.blocks == 0) continue;
    const model::Amount peak = small.epoch == epoch ? small.saved : small.live();
    add(small.usable_bytes, {small.allocated, small.allocated.blocks * small.usable_bytes},
        {peak, peak.blocks * small.usable_bytes});
  }
  for (std::size_t bits = 1; bits < large_.size(); ++bits) {
    const Large& large = large_[bits];
    if (large.allocated.requested.blocks == 0) continue;
    add(std::uint64_t{1} << (bits - 1), large.allocated, large.peak(epoch));
  }
  for (const auto& [least, one] : classes) sizes.classes.push_back(one);
  return sizes;
}

}  // namespace mini::sources
