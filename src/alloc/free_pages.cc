// The search starts at a hint for each power of two, so that what is full is looked at once.
#include "alloc/free_pages.h"

#include <algorithm>
#include <bit>

namespace mini::alloc {
namespace {

// floor(log2(count)), at most that of an extent; 0 for 0.
std::uint32_t log2_of(std::uint32_t count) {
  const std::uint32_t capped = count < kExtentPages ? count : kExtentPages;
  return static_cast<std::uint32_t>(std::bit_width(capped | 1U)) - 1;
}

}  // namespace

bool FreePages::take(PageCount count, PageIndex* first) {
  const bool found = (count.count <= kExtentPages && find_within_extent(count.count, first)) ||
                     find_across_extents(count.count, first);
  if (found) mark_used({*first, count});
  return found;
}

bool FreePages::take_at(PageRun run) {
  if (!is_free(run)) return false;
  mark_used(run);
  return true;
}

bool FreePages::find_within_extent(std::uint32_t count, PageIndex* first) {
  const std::uint32_t k = log2_of(count);
  const std::uint32_t least = std::uint32_t{1} << k;
  const std::uint32_t extents = window_.extent_count();
  bool hint_holds = true;  // no extent so far had a run of 2^k
  for (std::uint32_t i = hints_[k]; i < extents; ++i) {
    const Extent& extent = window_.extent(i);
    if (hint_holds) {
      hints_[k] = i;
      hint_holds = extent.longest_free < least;
    }
    if (extent.longest_free < count) continue;
    BitRun run = extent.used.next_clear_run(0);
    while (run.length < count) run = extent.used.next_clear_run(run.begin + run.length);
    *first = PageIndex{i * kExtentPages + run.begin};
    return true;
  }
  if (hint_holds) hints_[k] = extents;
  return false;
}

bool FreePages::find_across_extents(std::uint32_t count, PageIndex* first) {
  if (count < 2 || count >= absent_across_) return false;
  const std::uint32_t extents = window_.extent_count();
  std::uint32_t begin = 0;
  std::uint32_t length = 0;  // of the free run that reaches the end of the last extent seen
  for (std::uint32_t i = hints_[0]; i < extents; ++i) {
    const Extent& extent = window_.extent(i);
    if (length == 0) begin = i * kExtentPages;
    if (length + extent.first_free >= count && extent.first_free != 0) {
      *first = PageIndex{begin};
      return true;
    }
    if (extent.all_free()) {
      length += kExtentPages;
    } else {
      length = extent.last_free;
      begin = (i + 1) * kExtentPages - length;
    }
  }
  absent_across_ = count;
  return false;
}

bool FreePages::is_free(PageRun run) const {
  if (run.end().value > window_.end().count) return false;
  bool free = true;
  for_each_extent(run, [&](std::uint32_t i, BitRun bits) {
    free = free && window_.extent(i).used.count_in(bits) == 0;
  });
  return free;
}

void FreePages::mark_used(PageRun run) {
  for_each_extent(run, [this](std::uint32_t i, BitRun bits) { window_.extent(i).use(bits); });
  free_ -= run.count;
}

void FreePages::put(PageRun run) {
  for_each_extent(run, [this](std::uint32_t i, BitRun bits) {
    const std::uint32_t longest = log2_of(window_.extent(i).disuse(bits).length);
    for (std::uint32_t k = 0; k <= longest; ++k) hints_[k] = std::min(hints_[k], i);
  });
  free_ += run.count;
  absent_across_ = ~std::uint32_t{0};
}

PageCount FreePages::tail() const {
  PageCount tail;
  for (std::uint32_t i = window_.extent_count(); i-- > 0;) {
    // The last extent may end before its pages do: those count as used, and it as all of it.
    const Extent& extent = window_.extent(i);
    const std::uint32_t end = i + 1 == window_.extent_count() && window_.end().count % kExtentPages
                                  ? window_.end().count % kExtentPages
                                  : kExtentPages;
    const std::uint32_t free = end - extent.used.end_of_set(end);
    tail += PageCount{free};
    if (free < end) break;
  }
  return tail;
}

}  // namespace mini::alloc
