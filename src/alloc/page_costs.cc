// The numbers were chosen by bench/alloc; docs/decisions/0030 says why.
#include "alloc/page_costs.h"

#include <algorithm>

namespace mini::alloc {
namespace {

constexpr PageCount kMeasuredFrom = pages_in(std::size_t{4} << 20);  // in use
constexpr PageCount kMeasuredBatch =
    pages_in(std::size_t{32} << 10);        // at least: or it is the call's
constexpr std::uint32_t kMeasurements = 4;  // of which the least counts
// Huge pages are dear that cost more than so many times as much as small ones: what they save
// later, at each miss of the TLB, is not measured.
constexpr std::uint64_t kTimesDearer = 2;
constexpr PageCount kLeastPause{8 * kExtentPages};
constexpr PageCount kMostPause{512 * kExtentPages};
constexpr std::uint32_t kPauseGrows = 4;

}  // namespace

bool PageCosts::measures_small(PageCount count, PageCount used) const {
  return measurements_ < kMeasurements && used >= kMeasuredFrom && count >= kMeasuredBatch;
}

void PageCosts::note_small(PageCount count, std::uint64_t ns) {
  const std::uint64_t page_ns = std::max<std::uint64_t>(ns / count.count, 1);
  small_ns_ = measurements_++ == 0 ? page_ns : std::min(small_ns_, page_ns);
}

void PageCosts::note_huge(std::uint64_t ns) {
  const std::uint64_t small_ns = small_ns_ != 0 ? small_ns_ : kDearNs / kTimesDearer;
  if (ns / kExtentPages <= small_ns * kTimesDearer) {
    pause_ = {};
    return;
  }
  pause_ = std::clamp(PageCount{pause_.count * kPauseGrows}, kLeastPause, kMostPause);
  pause_left_ = pause_;
  measurements_ = 0;
}

void PageCosts::note_instead(PageCount count) {
  pause_left_ -= std::min(pause_left_, count);
}

}  // namespace mini::alloc
