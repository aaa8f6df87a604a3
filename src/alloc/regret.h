// Memory that was given back and is wanted again soon: had it been kept, faults would have been
// saved. So less of it goes.
#pragma once

#include <algorithm>
#include <cstdint>

#include "alloc/pages.h"

namespace mini::alloc {

/// Of free pages: what the limit rises by of those that are kept, and falls by again. Not
/// thread-safe: guarded by the page heap's lock, like the other one.
class Allowance {
 public:
  PageCount pages() const { return pages_; }
  void drop() { pages_ = {}; }

  void note_released(PageCount count) { released_ += count; }
  /// To be called where less is free than before: so many pages that have memory.
  void note_free(PageCount free) { least_free_ = std::min(least_free_, free); }
  /// Pages that were given back are wanted again. `limit`: with pages(), here and in the next.
  void note_wanted(PageCount count, PageCount limit, PageCount free);
  /// What was free all the while need not have been kept: it is allowed no more.
  void review(PageCount limit, PageCount free);

 private:
  PageCount pages_;
  PageCount released_;  // since since_ns_
  PageCount wanted_;    // since then: released and wanted again
  std::uint64_t since_ns_ = 0;
  PageCount least_free_;  // since that tick
  std::uint32_t least_free_since_ = 0;
};

/// Of pages in use that hold nothing: for a while none go, and each time longer.
class InUsePause {
 public:
  bool is_over() const;
  /// To be called before some go, at the will of those who use them.
  void begin_release();
  void note_released(PageCount count) { released_ += count; }
  /// Pages of runs in use have got their memory again.
  void note_reused(PageCount count);

 private:
  PageCount released_;  // since since_ns_
  PageCount reused_;    // of those
  std::uint64_t since_ns_ = 0;
  std::uint64_t until_ns_ = 0;
  std::uint64_t length_ns_ = 0;  // of the last one, or of this
};

}  // namespace mini::alloc
