// The numbers were chosen by bench/alloc; docs/decisions/0032 says why.
#include "alloc/lazy_runs.h"

#include <algorithm>

#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

// 40%, in 256ths. What doubles when it is full is filled by half at least.
constexpr std::uint32_t kFilledShare = 102;
// Of what is in use: what may be huge between two probes, at first and at the most.
constexpr std::uint32_t kLeastShare = 8;
constexpr std::uint32_t kMostShare = 2;
constexpr PageCount kMostAtFirst = pages_in(std::size_t{32} << 20);

}  // namespace

bool LazyRuns::are_filled() {
  look_at_probe();
  return filled_share_ >= kFilledShare;
}

bool LazyRuns::may_be_huge(PageRun run, PageCount used) {
  const bool filled = are_filled();
  if (grant_is_due_) renew_grant(used);
  if (filled && has_grant()) return true;
  begin_probe(run);
  return false;
}

void LazyRuns::note_beyond_grant(PageRun part) {
  if (probe_.count.count == 0) begin_probe(part);
}

void LazyRuns::on_put(PageRun run) {
  if (run.first <= probe_.first && probe_.first < run.end()) look_at_probe();
}

void LazyRuns::begin_probe(PageRun run) {
  probe_ = {run.first, std::min(run.count, PageCount{kExtentPages})};
}

void LazyRuns::look_at_probe() {
  if (probe_.count.count == 0) return;
  const std::uint32_t share =
      kernel::vm::resident_share(window_.address(probe_.first), probe_.count.bytes());
  filled_share_ = (filled_share_ + share) / 2;
  last_was_filled_ = share >= kFilledShare;
  probe_ = {};
  grant_is_due_ = true;
}

void LazyRuns::renew_grant(PageCount used) {
  grant_is_due_ = false;
  const PageCount before = grant_;
  left_ = grant_ = {};
  if (!last_was_filled_ || filled_share_ < kFilledShare) return;
  const PageCount least{std::clamp(used.count / kLeastShare, kExtentPages, kMostAtFirst.count)};
  const PageCount most{std::max(used.count / kMostShare, least.count)};
  left_ = grant_ = std::clamp(PageCount{before.count * 2}, least, most);
}

}  // namespace mini::alloc
