// Which pages have memory, how they get it, and when they give it back.
//
// A page's first touch is what memory really costs: on a virtual machine a fault takes as long as
// thousands of malloc/free pairs, pages populated together a third of it each, a huge page a
// fiftieth. So
//   - while the heap is small, pages that are about to be written are populated in batches that
//     follow its size: a sixty-fourth of it, 16 to 128 KiB;
//   - once it is large enough that one step of 2 MiB is an eighth of it, fresh extents are huge; or
//     a quarter, where small pages are measured to be dear; but not while huge ones are measured to
//     be dearer;
//   - a program may never touch most of a large block: those get huge pages only while the last
//     ones that were looked at had been filled, by and large, and between two looks no more than a
//     share of what is in use, which doubles as long as they are;
//   - free pages that have memory are kept for reuse up to a limit that follows what is in use, and
//     given back beyond it, from the top: whole extents at once, since a huge page brings them
//     back, parts of extents where hardly anything is in use, or once nothing has happened in
//     theirs for a second, long runs in any while more is free than in use, and all runs where
//     much is, and many of them go by one call. Where extents are soon wanted again, the limit
//     rises by what would have been enough, and falls again by what was free for a second.
#pragma once

#include <cstdint>

#include "alloc/lazy_runs.h"
#include "alloc/page_costs.h"
#include "alloc/pages.h"
#include "alloc/regret.h"
#include "alloc/window.h"

namespace mini::alloc {

/// How soon the pages of a run will be written.
enum class Touch : std::uint8_t {
  kSoon,     // all of them, presently: a slab of small blocks
  kLazily,   // as the program likes: a large block
  kInOrder,  // from the front on: what a block grows by
};

/// Not thread-safe: guarded by the page heap's lock. Keeps Extent::resident and Extent::dirty.
///
///  R1  resident_free() == sum over extents of Extent::resident_free
///  R2  after settle(), resident_free() is at most limit(), but for extents that are in use and not
///      cold, and for runs that are not worth a system call
class Residency {
 public:
  explicit constexpr Residency(Window& window) : window_(window), lazy_(window) {}

  /// Asks what the system does with huge pages, if that is not known: in time, since a program that
  /// has locked itself in may not be able to.
  void learn_huge_pages();
  /// Sees to it that fresh pages are not huge before it is decided that they shall be.
  void on_growth(PageRun fresh);
  /// To be called for a run that was just taken: sees to it that it has memory soon enough. True
  /// where all of it reads as zeros. `zero`: all of it shall; then, of one that does not, it is not
  /// forgotten which pages do: see take_dirty().
  bool on_take(PageRun run, Touch touch, PageCount used, bool zero = false);
  /// Which pages of a run that was taken to be zero may not be, within one extent; from now on all
  /// of them may.
  Bits<kExtentPages> take_dirty(std::uint32_t extent, BitRun bits);
  /// To be called for a run in use whose memory was moved away.
  void on_emptied(PageRun run);
  /// To be called for a run that was just put back.
  void on_put(PageRun run);

  static constexpr std::uint32_t kMostRuns = 128;  // that go back by one call
  /// Gives back the memory of at most kMostRuns runs in use that hold nothing. Returns of how many
  /// pages.
  PageCount release_in_use(const PageRun* runs, std::uint32_t count);
  /// Whether that costs little, and what went this way was not wanted again.
  bool may_release_in_use() const;
  /// To be called before such pages are used again: sees to it that they have memory.
  void on_reuse(PageRun run);

  /// Gives back what is beyond the limit, by a bounded number of system calls. False where more is
  /// left: a few blocks in use may keep extents that could go. `emptying`: much of what is in use
  /// is given back as well, and is not expected to be used again soon.
  bool settle(PageCount used, bool emptying = false);
  /// Gives back everything that is free. Returns how many pages it was.
  PageCount release_all();

  PageCount resident_free() const { return resident_free_; }
  /// Whether so many pages more, all with memory, could be free and stay so.
  bool has_room(PageCount more, PageCount used) const {
    return resident_free_ + more <= limit(used);
  }

 private:
  friend struct Inspector;
  friend struct Checker;

  PageCount limit(PageCount used) const;
  bool huge_pays(PageCount used) const;
  bool wants_huge(PageRun run, Touch touch, PageCount used);
  struct Backing {
    Touch touch;
    bool huge;  // wished for
    PageCount used;
    std::uint32_t huge_extents = 0;  // of the run, so far
  };
  void back(std::uint32_t index, BitRun bits, Backing& backing);
  void allow_huge(std::uint32_t index, bool allow);
  void be_huge_no_more(std::uint32_t index);
  void be_huge_again(std::uint32_t index);
  bool may_be_huge() const;
  void back_by_huge_page(std::uint32_t index, Backing& backing);
  bool may_populate();
  bool populate(std::uint32_t index, BitRun bits);
  void populate_batch(std::uint32_t index, BitRun bits, std::uint32_t batch, PageCount used);
  bool populate_and_measure(std::uint32_t index, BitRun bits);
  void add_resident_free(Extent& extent, std::uint32_t count) {
    extent.resident_free = static_cast<std::uint16_t>(extent.resident_free + count);
    resident_free_ += PageCount{count};
  }
  void remove_resident_free(Extent& extent, std::uint32_t count) {
    extent.resident_free = static_cast<std::uint16_t>(extent.resident_free - count);
    resident_free_ -= PageCount{count};
    allowance_.note_free(resident_free_);
  }
  bool call(std::uint32_t index, BitRun bits, bool (*operation)(void*, std::size_t)) const;

  // residency_release.cc
  bool much_is_scattered(PageCount used, PageCount most) const;
  void break_up_huge_pages();
  std::uint32_t release_whole_extents(PageCount keep, std::uint32_t calls);
  struct Parts {
    PageCount keep;                    // resident free pages that may stay
    std::uint32_t runs = 0;            // at the most
    std::uint32_t runs_of_a_call = 1;  // a later sandbox may kill for the call that takes several
    std::uint32_t cold_since = 0;   // of extents last used at this tick or before, every free page
    std::uint32_t hardly_used = 0;  // of those with at most so many pages in use,
    std::uint32_t least_run = 1;    // runs of at least so many
    bool breaks_up = false;         // and of all others, runs that are long
  };
  std::uint32_t release_parts(const Parts& parts);
  PageCount release(const PageRun* runs, std::uint32_t count);
  PageCount forget(PageRun run);

  Window& window_;
  PageCount resident_free_;
  Allowance allowance_;
  InUsePause pause_;
  LazyRuns lazy_;
  PageCount settle_above_;  // settle() looks again at more than that, or at the next tick
  std::uint32_t settled_tick_ = 0;
  kernel::vm::HugePages system_ = kernel::vm::HugePages::kAlways;
  bool system_known_ = false;
  bool can_populate_ = true;  // or could not, at that tick
  std::uint32_t populate_failed_ = 0;
  PageCosts costs_;
};

}  // namespace mini::alloc
