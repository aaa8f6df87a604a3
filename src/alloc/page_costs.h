// What pages cost on this machine when they get memory, small ones and huge ones: measured, since
// neither can be told from outside. Where a hypervisor has taken back what its guest did not use,
// in whole huge pages, a huge page is as dear as 512 faults of the hypervisor's, and small pages,
// which come from what the guest used last, cost a tenth of that.
#pragma once

#include <cstdint>

#include "alloc/pages.h"

namespace mini::alloc {

/// Not thread-safe: guarded by the page heap's lock. Times are of wall clocks, so that one that was
/// interrupted says too much: nothing depends on one alone for long.
class PageCosts {
 public:
  /// Whether small pages about to be populated are to be measured, and touched for it.
  bool measures_small(PageCount count, PageCount used) const;
  /// What that took.
  void note_small(PageCount count, std::uint64_t ns);
  /// What it took to populate an extent as one huge page.
  void note_huge(std::uint64_t ns);

  /// Whether small pages are so dear that huge ones pay in a smaller heap.
  bool small_is_dear() const { return small_ns_ >= kDearNs; }
  /// While huge pages count as dearer than small ones, which serve instead.
  bool huge_is_dearer() const { return pause_left_.count != 0; }
  /// Small pages serve where a huge one was wished for: after some, huge ones are tried again.
  void note_instead(PageCount count);

 private:
  static constexpr std::uint64_t kDearNs = 2'000;  // a page, populated and touched

  std::uint32_t measurements_ = 0;  // of small pages, since huge ones were last found dear
  std::uint64_t small_ns_ = 0;      // the least that one page took by these; 0: not known
  PageCount pause_;                 // how long the last one was, in small pages; 0: huge ones pay
  PageCount pause_left_;
};

}  // namespace mini::alloc
