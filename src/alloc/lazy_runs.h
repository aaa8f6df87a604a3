// How much of the runs that a program touches as it likes it does touch, and so how many of their
// pages may be huge.
//
// Of what huge pages back, nothing can be seen: the kernel calls all of it resident. So now and
// then a run is a probe, backed page by page, and is looked at later. Between two probes huge pages
// are granted in proportion to what is in use, so that a run of any length that is hardly touched
// costs a share of it: docs/decisions/0032.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alloc/pages.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Not thread-safe: guarded by the page heap's lock.
class LazyRuns {
 public:
  explicit constexpr LazyRuns(const Window& window) : window_(window) {}

  /// Whether runs of late were filled, by and large.
  bool are_filled();
  /// Whether one that was just taken may have huge pages, as many as are granted; else it is a
  /// probe. `used`: without it.
  bool may_be_huge(PageRun run, PageCount used);
  bool has_grant() const { return left_.count != 0; }
  /// An extent of such a run is huge.
  void use_grant() { left_ -= std::min(left_, PageCount{kExtentPages}); }
  /// A part of such a run is backed page by page for want of a grant: a probe, if there is none.
  void note_beyond_grant(PageRun part);
  /// To be called before a run is put.
  void on_put(PageRun run);

 private:
  void begin_probe(PageRun run);
  void look_at_probe();
  void renew_grant(PageCount used);

  const Window& window_;
  PageRun probe_;                     // backed page by page: looked at later
  std::uint32_t filled_share_ = 128;  // of the probes, in 256ths; later ones weigh more
  bool last_was_filled_ = false;
  bool grant_is_due_ = false;  // since a probe was looked at
  PageCount grant_;            // after the last probe
  PageCount left_;             // of it
};

}  // namespace mini::alloc
