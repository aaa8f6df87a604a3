// Pages of large blocks that were freed last on one processor, kept for the next ones there.
#pragma once

#include <array>
#include <atomic>
#include <cstdint>

#include "alloc/kept_runs.h"
#include "alloc/lock.h"
#include "alloc/pages.h"
#include "alloc/span.h"
#include "alloc/span_table.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Thread-safe, and seldom wanted by two threads at once: large blocks of malloc's heap without the
/// page heap's lock. The spans in it are nobody's, of kind kCached; the page map does not name
/// them, and the page heap takes their pages to be in use. Neighbours are joined, and blocks cut
/// off.
///
///  K2  pages() == sum of Span::pages over the spans, none of which touch each other; each is as
///      its slot's run says
class alignas(128) SpanShelf {
 public:
  constexpr SpanShelf() = default;

  static constexpr std::uint32_t kMostSpans = KeptRuns::kSlots;
  class Spans {
   public:
    void add(Span& span) { spans_[count_++] = &span; }
    Span* const* begin() const { return spans_.data(); }
    Span* const* end() const { return begin() + count_; }
    bool is_empty() const { return count_ == 0; }
    std::uint32_t count() const { return count_; }

   private:
    std::array<Span*, kMostSpans> spans_;
    std::uint32_t count_ = 0;
  };

  /// A block of so many pages, of kind kLarge, which the page map names; null where there is none
  /// so long, or another thread is there just now.
  Span* take(PageCount count, Window& window, SpanTable& spans);
  enum class Put : std::uint8_t { kKept, kElsewhere, kWasFree };
  /// Keeps a block's span, which the page map names no more from then on. Nothing is done where it
  /// is longer than all that may be kept, or another thread is there just now: kElsewhere; or where
  /// another thread has just freed it. What is to be put elsewhere for it goes to *over.
  Put put(Span& span, Window& window, SpanTable& spans, Spans* over);
  void take_all(Spans* all);
  /// To be called once so many spans that the two gave are elsewhere.
  void note_arrival(std::uint32_t spans) { leaving_.fetch_sub(spans, std::memory_order_relaxed); }
  /// In the child of a fork: whether a thread that is gone was on its way with some.
  bool forget_leaving() { return leaving_.exchange(0, std::memory_order_relaxed) != 0; }

  /// How many pages may be kept. What is beyond goes with the next put().
  void set_most(PageCount most) { most_.store(most.count, std::memory_order_relaxed); }
  /// Any thread, without the lock: a moment ago.
  PageCount pages() const { return {pages_.load(std::memory_order_relaxed)}; }
  /// Whether a page is kept. Takes no lock, for what is said of a pointer that is no block.
  bool has(PageIndex page) const;

  /// Modulo 2^64 and 2^32: blocks, and their pages, that were taken from here, less those put here.
  struct Taken {
    std::uint64_t blocks = 0;
    PageCount pages;
  };
  Taken taken();

  TryLock& lock() { return lock_; }

 private:
  friend struct Inspector;
  friend struct Checker;

  Span* cut(std::uint32_t slot, PageCount count, Window& window, SpanTable& spans);
  Span& take_highest(std::uint32_t enough, Window& window, SpanTable& spans);
  Span& join(Span& span, SpanTable& spans);
  void add(Span& span);
  void leave(Span& span, Spans* to);
  Span* remove(std::uint32_t slot);
  Span* take_record(SpanTable& spans);
  void put_record(Span& span, SpanTable& spans);
  void change_pages(std::uint32_t by) {
    pages_.store(pages_.load(std::memory_order_relaxed) + by, std::memory_order_relaxed);
  }

  TryLock lock_{LockRank::kShelf};
  std::atomic<std::uint32_t> most_{0};
  std::atomic<std::uint32_t> pages_{0};
  std::atomic<std::uint32_t> leaving_{0};  // spans that are not elsewhere yet
  Taken taken_;
  std::array<Span*, kMostSpans> records_{};  // [0, record_count_): of no span
  std::uint32_t record_count_ = 0;
  KeptRuns runs_;
  std::array<Span*, kMostSpans> spans_{};  // of the run in the same slot
};

}  // namespace mini::alloc
