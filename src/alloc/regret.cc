// The numbers were chosen by bench/alloc; docs/decisions/0005 and 0023 say why.
#include "alloc/regret.h"

#include "alloc/ticks.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

constexpr PageCount kMostAllowance = pages_in(std::size_t{32} << 20);
constexpr std::uint64_t kSoonNs = 1'000'000'000;
// Of pages in use: what is "soon", how many are none to speak of, and how long none go after that.
constexpr std::uint64_t kSoonInUseNs = 4'000'000'000;
constexpr PageCount kFewReused = pages_in(std::size_t{16} << 10);
constexpr std::uint64_t kLeastPauseNs = 10'000'000'000;
constexpr std::uint64_t kMostPauseNs = 600'000'000'000;

}  // namespace

void Allowance::note_wanted(PageCount count, PageCount limit, PageCount free) {
  const std::uint64_t now = vm::coarse_now_ns();
  if (now - since_ns_ > kSoonNs) {
    wanted_ = released_ = {};
    since_ns_ = now;
  }
  wanted_ += count;
  if (wanted_ > limit && wanted_.count > released_.count / 2) {
    pages_ = std::min(kMostAllowance, pages_ + wanted_);
    wanted_ = released_ = {};
    least_free_ = free;
    least_free_since_ = now_tick();
  }
}

void Allowance::review(PageCount limit, PageCount free) {
  const std::uint32_t tick = now_tick();
  if (tick - least_free_since_ < kColdTicks) return;
  const PageCount usual = limit - std::min(limit, pages_);
  pages_ -= std::min(pages_, least_free_ - std::min(least_free_, usual));
  least_free_ = free;
  least_free_since_ = tick;
}

bool InUsePause::is_over() const {
  return vm::coarse_now_ns() >= until_ns_;
}

void InUsePause::begin_release() {
  const std::uint64_t now = vm::coarse_now_ns();
  if (now - since_ns_ <= kSoonInUseNs) return;
  released_ = reused_ = {};
  since_ns_ = now;
}

// Much of what was given back is used again soon.
void InUsePause::note_reused(PageCount count) {
  if (released_.count == 0) return;
  reused_ += count;
  if (reused_ <= kFewReused || reused_.count <= released_.count / 4) return;
  const std::uint64_t now = vm::coarse_now_ns();
  length_ns_ = std::clamp(length_ns_ * 2, kLeastPauseNs, kMostPauseNs);
  until_ns_ = now + length_ns_;
  released_ = reused_ = {};
}

}  // namespace mini::alloc
