// The numbers of this policy were chosen by bench/alloc; docs/decisions/0005 says why it is like
// this.
#include "alloc/residency.h"

#include <algorithm>
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

}  // namespace mini::alloc
