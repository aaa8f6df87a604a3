// The numbers of this policy were chosen by bench/alloc; docs/decisions/0005 says why it is like
// this.
#include "alloc/residency.h"

#include <algorithm>
#include <array>
#include <bit>
#include <optional>

#include "alloc/free_pages.h"
#include "alloc/options.h"
#include "alloc/ticks.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

// In use: a step is 1/8, or 1/4 where small pages are dear.
constexpr PageCount kHugeFrom = pages_in(std::size_t{16} << 20);
constexpr PageCount kHugeFromWhereDear = pages_in(std::size_t{8} << 20);
constexpr PageCount kLeastBatch = pages_in(std::size_t{16} << 10);  // populated together
constexpr PageCount kMostBatch = pages_in(std::size_t{128} << 10);
constexpr std::uint32_t kBatchShare = 64;  // of what is in use
constexpr PageCount kLeastLimit = pages_in(std::size_t{1} << 20);
constexpr std::uint32_t kLimitShare = 24;
constexpr std::uint32_t kCallsAtOnce = 32;  // bounds one settle()
constexpr std::uint32_t kWorthACall = 16;   // pages in a row
// The same in an extent that is in use, where more is free than in use.
constexpr std::uint32_t kWorthBreakingUp = 64;
// Pages in use of an extent whose free pages go although it is not cold. Most such extents are
// about to be used again, or to be free as a whole; not so where a fifth of the heap is all that is
// in use.
constexpr std::uint32_t kHardlyUsed = kExtentPages / 64;
constexpr std::uint32_t kHardlyUsedWhenEmptying = kExtentPages / 4;

}  // namespace

bool Residency::huge_pays(PageCount used) const {
  const HugePageUse use = g_options.huge_page_use();
  const bool dense = used >= (costs_.small_is_dear() ? kHugeFromWhereDear : kHugeFrom) ||
                     use == HugePageUse::kAlways;
  return dense && use != HugePageUse::kNever && system_ != vm::HugePages::kNever;
}

PageCount Residency::limit(PageCount used) const {
  const std::size_t retained = g_options.retained_bytes.load(std::memory_order_relaxed);
  if (retained != Options::kByDefault) return pages_in(std::min(retained, kWindowBytes / 2));
  PageCount share{used.count / kLimitShare};
  // A fresh extent is resident at once, and not to be given back before it is used.
  if (huge_pays(used)) share = std::max(share, PageCount{kExtentPages});
  return kLeastLimit + share + allowance_.pages();
}

void Residency::learn_huge_pages() {
  if (system_known_) return;
  system_ = vm::huge_pages();
  system_known_ = true;
}

bool Residency::call(std::uint32_t index, BitRun bits,
                     bool (*operation)(void*, std::size_t)) const {
  const PageIndex first{index * kExtentPages + bits.begin};
  return operation(window_.address(first), PageCount{bits.length}.bytes());
}

void Residency::add_resident_free(Extent& extent, std::uint32_t count) {
  extent.resident_free = static_cast<std::uint16_t>(extent.resident_free + count);
  resident_free_ += PageCount{count};
}

void Residency::remove_resident_free(Extent& extent, std::uint32_t count) {
  extent.resident_free = static_cast<std::uint16_t>(extent.resident_free - count);
  resident_free_ -= PageCount{count};
  allowance_.note_free(resident_free_);
}

void Residency::on_growth(PageRun fresh) {
  if (fresh.count.count < kExtentPages && fresh.end().in_extent() != 0) {
    return;  // no extent is complete: nothing can be huge yet
  }
  learn_huge_pages();
  if (system_ != vm::HugePages::kAlways) return;
  const PageIndex first{fresh.first.extent() * kExtentPages};
  vm::allow_huge_pages(window_.address(first), (fresh.end() - first).bytes(), false);
}

bool Residency::on_take(PageRun run, Touch touch, PageCount used, bool zero) {
  bool zeroed = true;
  const std::uint32_t tick = now_tick();
  std::optional<Backing> backing;
  for_each_extent(run, [&](std::uint32_t i, BitRun bits) {
    Extent& extent = window_.extent(i);
    extent.last_use = tick;
    const std::uint32_t resident = extent.resident.count_in(bits);
    remove_resident_free(extent, resident);
    if (resident < bits.length) {
      if (!backing) backing = {.touch = touch, .huge = wants_huge(run, touch, used), .used = used};
      const std::uint32_t before = extent.resident.count();
      back(i, bits, *backing);
      if (extent.shed) {
        allowance_.note_wanted(PageCount{extent.resident.count() - before}, limit(used),
                               resident_free_);
        pause_.note_reused(PageCount{bits.length - resident});
      }
    }
    zeroed = zeroed && !extent.dirty.any_in(bits);
    if (!zero) extent.dirty.set_run(bits);
  });
  if (zero && zeroed) {
    for_each_extent(run,
                    [&](std::uint32_t i, BitRun bits) { window_.extent(i).dirty.set_run(bits); });
  }
  return zeroed;
}

Bits<kExtentPages> Residency::take_dirty(std::uint32_t extent, BitRun bits) {
  Bits<kExtentPages>& dirty = window_.extent(extent).dirty;
  const Bits<kExtentPages> before = dirty;
  dirty.set_run(bits);
  return before;
}

bool Residency::wants_huge(PageRun run, Touch touch, PageCount used) {
  if (touch == Touch::kSoon) return huge_pays(used);
  const PageCount before = used - run.count;  // of the run itself hardly any may be touched
  if (!huge_pays(before)) return false;
  return touch == Touch::kLazily ? lazy_.may_be_huge(run, before) : lazy_.are_filled();
}

// Gives pages that are in use, some of them without memory, what they will need.
void Residency::back(std::uint32_t index, BitRun bits, Backing& backing) {
  Extent& extent = window_.extent(index);
  const bool granted = backing.touch != Touch::kLazily || lazy_.has_grant();
  const bool huge = backing.huge && granted && may_be_huge();
  const bool empty = extent.resident.next_set(0) == kExtentPages;
  if (empty) extent.was_huge = false;
  if (empty && extent.huge != huge) allow_huge(index, huge);
  if (empty && extent.huge) {
    back_by_huge_page(index, backing);
    return;
  }
  if (backing.huge && !granted) {
    lazy_.note_beyond_grant({PageIndex{index * kExtentPages + bits.begin}, PageCount{bits.length}});
  }
  if (backing.huge && !huge) costs_.note_instead(PageCount{bits.length});
  if ((huge || backing.touch == Touch::kSoon) && may_populate()) {
    // Where a huge page would have been right, so are all the pages up to the next in use; but not
    // behind a large block, where the next one may not fit.
    const std::uint32_t batch =
        backing.touch == Touch::kLazily ? 0
        : huge                          ? kExtentPages
               : std::clamp(backing.used.count / kBatchShare, kLeastBatch.count, kMostBatch.count);
    populate_batch(index, bits, batch, backing.used);
  }
  extent.resident.set_run(bits);
  if (huge || backing.touch == Touch::kSoon) be_huge_again(index);
}

void Residency::allow_huge(std::uint32_t index, bool allow) {
  std::byte* const begin = window_.address(PageIndex{index * kExtentPages});
  if (vm::allow_huge_pages(begin, kExtentBytes, allow)) window_.extent(index).huge = allow;
}

// Of a huge extent some pages have no memory any more: the kernel would make it huge again, sooner
// or later, and bring them all back (khugepaged, with max_ptes_none as it is by default).
void Residency::be_huge_no_more(std::uint32_t index) {
  Extent& extent = window_.extent(index);
  if (!extent.huge || extent.resident.next_set(0) == kExtentPages) return;
  allow_huge(index, false);
  extent.was_huge = !extent.huge;
}

// Now it may.
void Residency::be_huge_again(std::uint32_t index) {
  Extent& extent = window_.extent(index);
  if (!extent.was_huge || extent.resident.next_clear(0) != kExtentPages) return;
  allow_huge(index, true);
  extent.was_huge = false;
}

bool Residency::may_be_huge() const {
  return !costs_.huge_is_dearer() || g_options.huge_page_use() == HugePageUse::kAlways;
}

// Whichever page of it is touched first brings all of them. What that takes can be measured only by
// doing it: of a run that its program may not fill, with the first extent, the second, the fourth.
void Residency::back_by_huge_page(std::uint32_t index, Backing& backing) {
  Extent& extent = window_.extent(index);
  constexpr BitRun kAll{0, kExtentPages};
  if (backing.touch == Touch::kLazily) lazy_.use_grant();
  const bool now = backing.touch == Touch::kSoon || std::has_single_bit(++backing.huge_extents);
  if (now && may_populate()) {
    const std::uint64_t begin_ns = vm::now_ns();
    if (populate(index, kAll)) costs_.note_huge(vm::now_ns() - begin_ns);
  }
  extent.resident.set_run(kAll);
  add_resident_free(extent, kExtentPages - extent.used.count());
}

// A kernel or a sandbox that has no such call may as well be asked again after a while: one that
// has it may only have been out of memory, in a cgroup whose programs wait for some.
bool Residency::may_populate() {
  if (!can_populate_) can_populate_ = now_tick() - populate_failed_ >= kColdTicks;
  return can_populate_;
}

bool Residency::populate(std::uint32_t index, BitRun bits) {
  can_populate_ = call(index, bits, vm::populate);
  if (!can_populate_) populate_failed_ = now_tick();
  return can_populate_;
}

// Populates the part of a run that has no memory, and the free pages after it that the next runs
// will get, up to `batch` in all.
void Residency::populate_batch(std::uint32_t index, BitRun bits, std::uint32_t batch,
                               PageCount used) {
  Extent& extent = window_.extent(index);
  const std::uint32_t begin = extent.resident.next_clear(bits.begin);
  std::uint32_t end = bits.begin + bits.length;
  const std::uint32_t free_end = std::min(extent.used.next_set(end), extent.resident.next_set(end));
  end = std::max(end, std::min(begin + batch, free_end));
  const BitRun missing{begin, end - begin};
  const bool populated = costs_.measures_small(PageCount{missing.length}, used)
                             ? populate_and_measure(index, missing)
                             : populate(index, missing);
  if (!populated) return;
  const std::uint32_t run_end = bits.begin + bits.length;
  if (end > run_end) {
    extent.resident.set_run({run_end, end - run_end});
    add_resident_free(extent, end - run_end);
  }
}

// A hypervisor that keeps page tables of its own maps a page when it is touched, whoever populated
// it: the touch is most of what a small page costs there, and nothing elsewhere. The pages are
// zeros, and will be touched soon in any case.
bool Residency::populate_and_measure(std::uint32_t index, BitRun bits) {
  const std::uint64_t begin_ns = vm::now_ns();
  if (!populate(index, bits)) return false;
  volatile std::byte* const begin = window_.address({index * kExtentPages + bits.begin});
  for (std::uint32_t i = 0; i < bits.length; ++i) begin[i * kPageBytes] = std::byte{0};
  costs_.note_small(PageCount{bits.length}, vm::now_ns() - begin_ns);
  return true;
}

void Residency::on_emptied(PageRun run) {
  for_each_extent(run, [this](std::uint32_t i, BitRun bits) {
    Extent& extent = window_.extent(i);
    extent.resident.clear_run(bits);
    extent.dirty.clear_run(bits);
    be_huge_no_more(i);
  });
}

void Residency::on_put(PageRun run) {
  const std::uint32_t tick = now_tick();
  lazy_.on_put(run);
  for_each_extent(run, [&](std::uint32_t i, BitRun bits) {
    Extent& extent = window_.extent(i);
    extent.last_use = tick;
    add_resident_free(extent, extent.resident.count_in(bits));
  });
}

bool Residency::may_release_in_use() const {
  return vm::discards_many_at_once() && pause_.is_over();
}

PageCount Residency::release_in_use(const PageRun* runs, std::uint32_t count) {
  pause_.begin_release();
  const PageCount released = release(runs, count);
  pause_.note_released(released);
  return released;
}

void Residency::on_reuse(PageRun run) {
  for_each_extent(run, [this](std::uint32_t i, BitRun bits) {
    Extent& extent = window_.extent(i);
    const std::uint32_t end = bits.begin + bits.length;
    const std::uint32_t first = extent.resident.next_clear(bits.begin);
    if (first >= end) return;
    std::uint32_t last = end;
    while (extent.resident.test(last - 1)) --last;
    pause_.note_reused(PageCount{bits.length - extent.resident.count_in(bits)});
    if (may_populate()) populate(i, {first, last - first});
    extent.resident.set_run({first, last - first});
    extent.dirty.set_run({first, last - first});
    be_huge_again(i);
  });
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
    if (emptying) {
      parts = {.keep = keep,
               .runs = kMostRuns,
               .runs_of_a_call = kMostRuns,
               .hardly_used = kExtentPages};
    }
    calls = release_parts(parts);
    if (emptying) pause_.note_released(before - resident_free_);
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
