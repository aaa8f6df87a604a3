// What has memory and is free, or in use and holds nothing: when it goes back. The numbers were
// chosen by bench/alloc; docs/decisions/0005 says why it is like this.
#include <algorithm>
#include <array>

#include "alloc/free_pages.h"
#include "alloc/residency.h"
#include "alloc/ticks.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

constexpr std::uint32_t kCallsAtOnce = 32;  // bounds one settle()
constexpr std::uint32_t kWorthACall = 16;   // pages in a row
// The same in an extent that is in use, where more is free than in use.
constexpr std::uint32_t kWorthBreakingUp = 64;
// Pages in use of an extent whose free pages go although it is not cold. Most such extents are
// about to be used again, or to be free as a whole; not so where a fifth of the heap is all that is
// in use.
constexpr std::uint32_t kHardlyUsed = kExtentPages / 64;
constexpr std::uint32_t kHardlyUsedWhenEmptying = kExtentPages / 4;

// Free in short runs, beyond the limit: to be given back all the same.
constexpr PageCount kMuch = pages_in(std::size_t{16} << 20);
constexpr std::uint32_t kMuchShare = 2;  // of what is in use, if that is more

}  // namespace

bool Residency::may_release_in_use() const {
  return vm::discards_many_at_once() && pause_.is_over();
}

PageCount Residency::release_in_use(const PageRun* runs, std::uint32_t count) {
  pause_.begin_release();
  const PageCount released = release(runs, count);
  pause_.note_released(released);
  return released;
}

// Much is free beyond the limit in extents that stay: it goes in whatever pieces it is.
bool Residency::much_is_scattered(PageCount used, PageCount most) const {
  const PageCount much{std::max(kMuch.count, used.count / kMuchShare)};
  return resident_free_ > most + much && may_release_in_use();
}

bool Residency::settle(PageCount used, bool emptying) {
  if (allowance_.pages().count != 0) allowance_.review(limit(used), resident_free_);
  const PageCount most = limit(used);
  if (resident_free_ <= most) return true;
  const std::uint32_t tick = now_tick();
  if (resident_free_ <= settle_above_ && tick == settled_tick_) return false;
  const PageCount keep{most.count - most.count / 4};
  const PageCount before = resident_free_;
  std::uint32_t calls = release_whole_extents(keep, kCallsAtOnce);
  if (resident_free_ > most) {
    Parts parts{.keep = keep,
                .runs = calls,
                .cold_since = tick - kColdTicks,
                .hardly_used =
                    resident_free_.count / 4 > used.count ? kHardlyUsedWhenEmptying : kHardlyUsed,
                .least_run = kWorthACall,
                .breaks_up = resident_free_ > used};
    const bool in_pieces = emptying || (calls != 0 && much_is_scattered(used, most));
    if (in_pieces) {
      pause_.begin_release();
      parts = {.keep = keep,
               .runs = kMostRuns,
               .runs_of_a_call = kMostRuns,
               .hardly_used = kExtentPages};
    }
    calls = release_parts(parts);
    if (in_pieces) pause_.note_released(before - resident_free_);
  }
  // Where there was more to do than may be done at once, the next call goes on.
  const bool all_done = calls != 0 || resident_free_ == before;
  settle_above_ = all_done ? resident_free_ + PageCount{most.count / 8} : most;
  settled_tick_ = tick;
  return resident_free_ <= most;
}

PageCount Residency::release_all() {
  const PageCount before = resident_free_;
  constexpr std::uint32_t kNoBound = ~std::uint32_t{0};
  release_whole_extents({}, kNoBound);
  release_parts(
      {.keep = {}, .runs = kNoBound, .runs_of_a_call = kMostRuns, .hardly_used = kExtentPages});
  allowance_.drop();
  break_up_huge_pages();
  return before - resident_free_;
}

// Of which parts were given back: the kernel has that memory to itself only then. The last page
// that has memory is the one that is used again last, and so most likely still part of it.
void Residency::break_up_huge_pages() {
  for (std::uint32_t i = 0; i < window_.extent_count(); ++i) {
    const Extent& extent = window_.extent(i);
    if (!extent.was_huge) continue;
    std::uint32_t last = kExtentPages;
    while (last > 0 && !extent.resident.test(last - 1)) --last;
    if (last != 0) call(i, {last - 1, 1}, vm::break_up_huge_page);
  }
}

// From the top, since allocation is from the bottom; neighbours by one call. Returns how many calls
// are left.
std::uint32_t Residency::release_whole_extents(PageCount keep, std::uint32_t calls) {
  std::uint32_t end = window_.extent_count();
  while (end > 0 && calls > 0 && resident_free_ > keep) {
    std::uint32_t begin = end;
    PageCount resident;
    while (begin > 0 && resident_free_ > keep + resident) {
      const Extent& extent = window_.extent(begin - 1);
      if (extent.resident_free == 0 || !extent.all_free()) break;
      resident += PageCount{extent.resident_free};
      --begin;
    }
    if (begin == end) {
      --end;
      continue;
    }
    const PageRun run{PageIndex{begin * kExtentPages}, PageCount{(end - begin) * kExtentPages}};
    allowance_.note_released(release(&run, 1));
    --calls;
    end = begin;
  }
  return calls;
}

// Runs of free pages in extents that are partly in use. Returns how many more it could have been.
std::uint32_t Residency::release_parts(const Parts& parts) {
  std::array<PageRun, kMostRuns> runs;
  std::uint32_t count = 0;
  PageCount resident;  // of the runs
  std::uint32_t left = parts.runs;
  const auto flush = [&] {
    allowance_.note_released(release(runs.data(), count));
    count = 0;
    resident = {};
  };
  for (std::uint32_t i = window_.extent_count();
       i-- > 0 && left > 0 && resident_free_ > parts.keep + resident;) {
    const Extent& extent = window_.extent(i);
    if (extent.resident_free == 0) continue;
    const bool cold = static_cast<std::int32_t>(parts.cold_since - extent.last_use) >= 0;
    const bool hardly_used = extent.used.count() <= parts.hardly_used;
    if (!cold && !hardly_used && !parts.breaks_up) continue;
    const std::uint32_t least_run = cold ? 1 : hardly_used ? parts.least_run : kWorthBreakingUp;
    for (BitRun run = extent.used.next_clear_run(0); run.length != 0 && left > 0;
         run = extent.used.next_clear_run(run.begin + run.length)) {
      const PageCount with_memory{extent.resident.count_in(run)};
      if (with_memory.count < least_run) continue;
      runs[count++] = {PageIndex{i * kExtentPages + run.begin}, PageCount{run.length}};
      resident += with_memory;
      --left;
      if (count == parts.runs_of_a_call) flush();
    }
  }
  flush();
  return left;
}

// The memory of runs that hold nothing, whether they are free or in use.
PageCount Residency::release(const PageRun* runs, std::uint32_t count) {
  std::array<vm::Range, kMostRuns> ranges;
  for (std::uint32_t i = 0; i < count; ++i) {
    ranges[i] = {.at = window_.address(runs[i].first), .bytes = runs[i].count.bytes()};
  }
  PageCount released;
  const std::uint32_t done = vm::discard_all(ranges.data(), count);
  for (std::uint32_t i = 0; i < done; ++i) released += forget(runs[i]);
  return released;
}

// A run has no memory any more. Returns of how many pages it may have had some.
PageCount Residency::forget(PageRun run) {
  PageCount had;
  for_each_extent(run, [&](std::uint32_t i, BitRun bits) {
    Extent& extent = window_.extent(i);
    const std::uint32_t count = extent.resident.count_in(bits);
    extent.resident.clear_run(bits);
    extent.dirty.clear_run(bits);
    extent.shed = true;
    be_huge_no_more(i);
    had += PageCount{count};
    if (!extent.used.test(bits.begin)) remove_resident_free(extent, count);
  });
  return had;
}

}  // namespace mini::alloc
