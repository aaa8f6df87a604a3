// Which pages of the window are free: first fit, by address.
//
// Low addresses first keeps what lives together dense and lets the top of the heap empty, which is
// what makes huge pages cheap and giving memory back possible.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/pages.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Not thread-safe: guarded by the page heap's lock. Keeps Extent::used and its summary.
///
///  F1  a page is free <=> it is committed and its `used` bit is clear
///  F2  no extent below hints_[k] has a free run of 2^k pages or more
///  F3  there is no run of absent_across_ or more free pages that crosses extents
class FreePages {
 public:
  explicit constexpr FreePages(Window& window) : window_(window) {}

  /// The first run of `count` free pages, marked used. False where there is none.
  bool take(PageCount count, PageIndex* first);
  /// Marks a run used. False, and nothing done, unless all of it is free.
  bool take_at(PageRun run);
  void put(PageRun run);

  PageCount free_count() const { return free_; }
  /// Free pages in a row at the end of the window.
  PageCount tail() const;

 private:
  friend struct Inspector;
  friend struct Checker;

  bool find_within_extent(std::uint32_t count, PageIndex* first);
  bool find_across_extents(std::uint32_t count, PageIndex* first);
  bool is_free(PageRun run) const;
  void mark_used(PageRun run);

  Window& window_;
  std::array<std::uint32_t, 10> hints_{};  // by log2 of a length up to kExtentPages
  std::uint32_t absent_across_ = ~std::uint32_t{0};
  PageCount free_;
};

/// Calls apply(extent number, bits of it) for each extent that a run has pages in, lowest first.
template <typename Apply>
void for_each_extent(PageRun run, Apply&& apply) {
  std::uint32_t page = run.first.value;
  const std::uint32_t end = run.end().value;
  while (page < end) {
    const std::uint32_t in_extent = page % kExtentPages;
    const std::uint32_t length =
        end - page < kExtentPages - in_extent ? end - page : kExtentPages - in_extent;
    apply(page / kExtentPages, BitRun{in_extent, length});
    page += length;
  }
}

}  // namespace mini::alloc
