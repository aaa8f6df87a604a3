// The provider of pages: one for all threads, all sizes, all heaps.
#pragma once

#include <array>
#include <atomic>

#include "alloc/free_pages.h"
#include "alloc/lock.h"
#include "alloc/pages.h"
#include "alloc/residency.h"
#include "alloc/span_cache.h"
#include "alloc/span_shelf.h"
#include "alloc/span_table.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Thread-safe. A thread that holds its lock may take that of spans.
///
/// A large block that is freed is kept for a while as the span that it is: the next one of its
/// length gets it back without any search. Whatever else is asked of the page heap ends that first,
/// so that no page is taken elsewhere because of what is kept.
/// Before that come shelves, where there are threads: see SpanShelf.
///
///  P1  in_use + cached + free == pages ever committed
///  P2  cached + resident free pages are within the limit of Residency when a span is cached
///  P3  unused_in_slabs == sum over bins of what each told last
class PageHeap {
 public:
  constexpr PageHeap(Window& window, SpanTable& spans)
      : window_(window), spans_(spans), free_(window), memory_(window) {}

  /// Finds the window's place, if it has none yet; nothing else of a Backing works before. False
  /// where the kernel has none for us now.
  bool prepare();

  struct Request {
    PageCount count;
    PageCount alignment = {1};  // of the first page's address, a power of two
    Touch touch = Touch::kLazily;
    bool zero = false;  // every byte is to be 0
  };
  struct Grant {
    PageIndex first;
    bool zeroed = false;  // every byte is 0
  };
  /// False where there is no memory; nothing has changed then. REQUIRES: where `zero` is asked for
  /// and the grant is not zeroed, zero() is called before anything else of the run.
  bool take(const Request& request, Grant* grant);
  /// Clears the pages of a run that was just taken which were used before, and no others: most of a
  /// large one may never be touched.
  void zero(PageRun run);
  /// Takes the pages right after a run, where they are free. REQUIRES: lock() is held.
  bool take_after(PageRun run, PageCount more);
  /// `emptied`: the pages' memory has gone elsewhere, and they read as zeros.
  void put(PageRun run, bool emptied = false);
  /// The same. REQUIRES: lock() is held.
  void put_used(PageRun run, bool emptied);

  /// Gives back the memory of at most Residency::kMostRuns runs in use that hold nothing. Returns
  /// of how many pages.
  PageCount release_in_use(const PageRun* runs, std::uint32_t count);
  /// A bin tells how many pages of its slabs no block in use touches, most likely, and how many it
  /// told of before. Returns whether they shall be given back: where that is much, in all.
  bool sweep_pays(PageCount before, PageCount now);
  /// To be called before pages of a run in use are used, of which some may have been given back.
  void reuse(PageRun run);

  struct SpanGrant {
    Span* span = nullptr;  // `first` and `pages` are set, and its id
    bool cached = false;   // it was a large block before, and holds what that held
    bool zeroed = false;   // every byte is 0
  };
  /// A large block's span: one from the cache, of exactly so many pages, or a new one. False where
  /// there is no memory; nothing has changed then. REQUIRES: lock() is held, here and in the next;
  /// what take() does of zero(), where the span is not cached.
  bool take_span(const Request& request, SpanGrant* grant);
  /// A large block's span that nobody uses any more: it is kept, or its pages are put.
  void put_span(Span& span, bool emptied);

  /// A shelf of the processor that the caller runs on: the second one while somebody holds the
  /// first one's lock, for milliseconds where he was interrupted. Null while there is one thread.
  SpanShelf* shelf();
  /// A block from a shelf, or null.
  Span* take_kept(SpanShelf& shelf, PageCount count);
  /// See SpanShelf::put().
  SpanShelf::Put keep(SpanShelf& shelf, Span& span);
  static constexpr std::uint32_t kShelfParts = 8;
  static constexpr std::uint32_t kShelves = 2 * kShelfParts;
  std::array<SpanShelf, kShelves>& shelves() { return shelves_; }
  /// Pages that shelves keep, of those in use. Takes no lock.
  PageCount kept() const;
  /// What shelves keep becomes free pages, or is cached. Returns whether they kept any.
  bool empty_shelves();
  /// What threads had on their way from a shelf becomes free pages: they are gone.
  void after_fork_in_child();

  /// Whether a block that was freed and is cached may have begun there. Takes no lock: for what is
  /// said of a pointer that is no block.
  bool caches(const void* p) const;

  /// Gives all free pages' memory back to the kernel. Returns how many pages had any.
  PageCount release_all();

  struct Figures {
    PageCount in_use;
    PageCount free;  // with what is cached or kept
    PageCount resident_free;
  };
  Figures figures();
  /// Asks the system what may not be asked later: see Residency.
  void learn_system();
  /// Gives back what has not been used for a while, as put() does.
  void settle();
  /// How often there was more free memory than shall be kept, in extents that could not go: each
  /// time, every thread's cache is to be emptied once. Takes no lock.
  std::uint32_t crowded_count() const { return crowded_count_.load(std::memory_order_relaxed); }
  /// Pages in use a moment ago. Takes no lock.
  PageCount in_use() const { return {in_use_now_.load(std::memory_order_relaxed)}; }

  Lock& lock() { return lock_; }

 private:
  friend struct Inspector;
  friend struct Checker;

  bool take_run(PageCount count, PageIndex* first);
  bool take_locked(const Request& request, Grant* grant);
  void put_locked(PageRun run);
  Span* take_cached(PageCount count);
  Span* take_record();
  bool empty(SpanShelf& shelf);
  void put_all(SpanShelf& shelf, const SpanShelf::Spans& spans);
  bool has_kept(PageIndex first) const;
  PageCount most_kept() const;
  void set_most(SpanShelf& shelf);
  bool put_cached(Span& span);
  void uncache(Span& span);
  void empty_cache();
  void set_in_use(PageCount pages);
  bool place(PageCount count, PageRun* fresh);
  bool grow(PageCount count);
  void check() const;  // now and then, in a checked build

  Lock lock_{LockRank::kPages};
  Window& window_;
  SpanTable& spans_;
  FreePages free_;
  Residency memory_;
  SpanCache cache_;
  std::array<SpanShelf, kShelves> shelves_;       // all first ones, then the second ones
  std::atomic<std::uint32_t> shelves_in_use_{0};  // a bit for each part that was ever asked
  PageCount in_use_;
  PageCount unused_in_slabs_;  // of all bins, as told
  bool emptying_ = false;      // what sweep_pays() said last
  PageCount crowded_in_use_;   // in_use_ when crowded_count_ rose last, or the most since
  std::atomic<std::uint32_t> crowded_count_{0};
  std::atomic<std::uint32_t> in_use_now_{0};  // the same, for in_use()
};

}  // namespace mini::alloc
