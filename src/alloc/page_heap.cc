// Puts together where pages are free, which of them have memory, and the window's growth.
#include "alloc/page_heap.h"

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>

#include "alloc/check.h"
#include "alloc/checked.h"
#include "alloc/options.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

// Address space is made usable in steps, so that a system call serves many requests: an eighth of
// what there is. The first step is less than an extent, so that nothing can make it a huge page.
constexpr PageCount kFirstStep = pages_in(std::size_t{1} << 20);
constexpr PageCount kMostStep = pages_in(std::size_t{64} << 20);

// Of slabs, as a whole. To give them back breaks up huge pages, and what is left of those becomes
// slower to use: not for a little.
constexpr PageCount kLeastSwept = pages_in(std::size_t{48} << 20);
constexpr std::uint32_t kSweptShare = 16;  // of what is in use
// Where it is a third of what is in use, less is much: hardly anything is left.
constexpr PageCount kLeastSweptOfLittle = pages_in(std::size_t{16} << 20);

// On shelves: with less, much of what one processor frees goes past its own.
constexpr PageCount kLeastKept = pages_in(std::size_t{2} << 20);
constexpr std::uint32_t kKeptShare = 24;  // of what is in use
constexpr PageCount kMostOnShelf = pages_in(std::size_t{1} << 20);

constexpr std::uint64_t round_up(std::uint64_t n, std::uint64_t step) {
  return (n + step - 1) / step * step;
}

}  // namespace

// `count` pages in a row, the heap grown where it has none.
bool PageHeap::take_run(PageCount count, PageIndex* first) {
  return free_.take(count, first) || (grow(count) && free_.take(count, first));
}

bool PageHeap::take(const Request& request, Grant* grant) {
  {
    const Locked locked(lock_);
    if (take_locked(request, grant)) return true;
  }
  if (!empty_shelves()) return false;
  const Locked locked(lock_);
  return take_locked(request, grant);
}

bool PageHeap::take_locked(const Request& request, Grant* grant) {
  // With so many pages, an aligned run of the wanted length is among them wherever they begin.
  const std::uint64_t needed = std::uint64_t{request.count.count} + request.alignment.count - 1;
  if (request.count.count == 0 || needed > kWindowPages) return false;
  empty_cache();
  PageRun run{{}, {static_cast<std::uint32_t>(needed)}};
  if (!take_run(run.count, &run.first)) return false;
  const PageRun wanted{window_.align(run.first, request.alignment), request.count};
  if (run.first < wanted.first) free_.put({run.first, wanted.first - run.first});
  if (wanted.end() < run.end()) free_.put({wanted.end(), run.end() - wanted.end()});
  set_in_use(in_use_ + wanted.count);
  *grant = {.first = wanted.first,
            .zeroed = memory_.on_take(wanted, request.touch, in_use_, request.zero)};
  check();
  return true;
}

void PageHeap::set_in_use(PageCount pages) {
  in_use_ = pages;
  crowded_in_use_ = std::max(crowded_in_use_, pages);
  in_use_now_.store(pages.count, std::memory_order_relaxed);
}

void PageHeap::zero(PageRun run) {
  for_each_extent(run, [this](std::uint32_t i, BitRun bits) {
    Bits<kExtentPages> dirty;
    {
      const Locked locked(lock_);
      dirty = memory_.take_dirty(i, bits);
    }
    const std::uint32_t end = bits.begin + bits.length;
    for (BitRun used = dirty.next_set_run(bits.begin); used.begin < end;) {
      const std::uint32_t length = std::min(used.length, end - used.begin);
      std::memset(window_.address({i * kExtentPages + used.begin}), 0, PageCount{length}.bytes());
      used = dirty.next_set_run(used.begin + length);
    }
  });
}

bool PageHeap::take_after(PageRun run, PageCount more) {
  if (more.count > kWindowPages - run.end().value) return false;
  empty_cache();
  const PageRun wanted{run.end(), more};
  if (!free_.take_at(wanted)) {
    // At the end of the heap, it can grow.
    const PageCount tail = free_.tail();
    if (run.end() + tail != PageIndex{window_.end().count} || !grow(more) ||
        !free_.take_at(wanted)) {
      return false;
    }
  }
  set_in_use(in_use_ + more);
  memory_.on_take(wanted, Touch::kInOrder, in_use_);
  check();
  return true;
}

void PageHeap::put(PageRun run, bool emptied) {
  const Locked locked(lock_);
  put_used(run, emptied);
}

void PageHeap::put_used(PageRun run, bool emptied) {
  if (emptied) memory_.on_emptied(run);
  put_locked(run);
  set_in_use(in_use_ - run.count);
  if (!cache_.is_empty() && !memory_.has_room(cache_.pages(), in_use_)) empty_cache();
  // Blocks in caches may be what keeps extents: worth a look when an eighth less is in use.
  if (!memory_.settle(in_use_, emptying_) &&
      in_use_.count <= crowded_in_use_.count - crowded_in_use_.count / 8) {
    crowded_in_use_ = in_use_;
    crowded_count_.fetch_add(1, std::memory_order_relaxed);
  }
  check();
}

PageCount PageHeap::release_in_use(const PageRun* runs, std::uint32_t count) {
  const Locked locked(lock_);
  const PageCount released = memory_.release_in_use(runs, count);
  check();
  return released;
}

bool PageHeap::sweep_pays(PageCount before, PageCount now) {
  const Locked locked(lock_);
  unused_in_slabs_ += now;
  unused_in_slabs_ -= before;
  const PageCount least = std::min(std::max(kLeastSwept, PageCount{in_use_.count / kSweptShare}),
                                   std::max(kLeastSweptOfLittle, PageCount{in_use_.count / 3}));
  emptying_ = unused_in_slabs_ >= least && memory_.may_release_in_use();
  return emptying_;
}

void PageHeap::reuse(PageRun run) {
  const Locked locked(lock_);
  memory_.on_reuse(run);
  check();
}

void PageHeap::put_locked(PageRun run) {
  free_.put(run);
  memory_.on_put(run);
}

bool PageHeap::take_span(const Request& request, SpanGrant* grant) {
  if (request.alignment == PageCount{1}) {
    Span* const cached = take_cached(request.count);
    if (cached != nullptr) {
      *grant = {.span = cached, .cached = true};
      return true;
    }
  }
  Span* const span = take_record();
  if (span == nullptr) return false;
  Grant run;
  if (!take_locked(request, &run)) {
    spans_.put(*span);
    return false;
  }
  span->first = run.first;
  span->pages = request.count;
  window_.span_id(run.first) = window_.id_of(*span);
  *grant = {.span = span, .zeroed = run.zeroed};
  return true;
}

void PageHeap::put_span(Span& span, bool emptied) {
  if (!emptied && put_cached(span)) return;
  const PageRun run{span.first, span.pages};
  spans_.put(span);
  put_used(run, emptied);
}

Span* PageHeap::take_cached(PageCount count) {
  Span* const span = cache_.take(count);
  if (span != nullptr) set_in_use(in_use_ + count);
  return span;
}

// A span that has no pages yet. What is kept is about to become free pages, and its records free.
Span* PageHeap::take_record() {
  if (cache_.is_empty()) return spans_.take();
  Span* const span = cache_.take_oldest();
  put_locked({span->first, span->pages});
  *span = Span{};
  return span;
}

// False, and nothing done, where no more is to be kept.
bool PageHeap::put_cached(Span& span) {
  const PageCount still_used = in_use_ - span.pages;
  if (!memory_.has_room(cache_.pages() + span.pages, still_used)) return false;
  if (cache_.is_full()) uncache(*cache_.take_oldest());
  span.kind = SpanKind::kCached;
  cache_.add(span);
  set_in_use(still_used);
  check();
  return true;
}

bool PageHeap::caches(const void* p) const {
  const std::size_t offset = window_.offset(p);
  if (!window_.contains(offset) || offset % kPageBytes != 0) return false;
  return has_kept({static_cast<std::uint32_t>(offset >> kPageShift)});
}

bool PageHeap::has_kept(PageIndex first) const {
  return cache_.has(first) ||
         std::any_of(shelves_.begin(), shelves_.end(),
                     [first](const SpanShelf& shelf) { return shelf.has(first); });
}

SpanShelf* PageHeap::shelf() {
  if (kernel::vm::is_only_thread()) return nullptr;
  const std::uint32_t part = kernel::vm::processor() % kShelfParts;
  SpanShelf& first = shelves_[part];
  return first.lock().is_held() ? &shelves_[kShelfParts + part] : &first;
}

Span* PageHeap::take_kept(SpanShelf& shelf, PageCount count) {
  Span* const span = shelf.take(count, window_, spans_);
  if (span == nullptr) set_most(shelf);
  return span;
}

SpanShelf::Put PageHeap::keep(SpanShelf& shelf, Span& span) {
  SpanShelf::Spans over;
  const SpanShelf::Put done = shelf.put(span, window_, spans_, &over);
  if (done != SpanShelf::Put::kElsewhere && over.is_empty()) return done;
  set_most(shelf);
  put_all(shelf, over);
  if (kept() > most_kept()) empty_shelves();  // less is in use than was
  return done;
}

PageCount PageHeap::kept() const {
  PageCount kept;
  for (const SpanShelf& shelf : shelves_) kept += shelf.pages();
  return kept;
}

PageCount PageHeap::most_kept() const {
  const std::size_t retained = g_options.retained_bytes.load(std::memory_order_relaxed);
  if (retained != Options::kByDefault) return pages_in(std::min(retained, kLeastKept.bytes()));
  return kLeastKept + PageCount{in_use().count / kKeptShare};
}

// Processors whose shelves were ever asked for a block have equal parts, for either of their
// shelves. Where second ones have filled too, all are emptied once it is too much: see keep().
void PageHeap::set_most(SpanShelf& shelf) {
  const std::uint32_t bit = std::uint32_t{1} << ((&shelf - shelves_.data()) % kShelfParts);
  std::uint32_t in_use = shelves_in_use_.load(std::memory_order_relaxed);
  if ((in_use & bit) == 0) in_use = shelves_in_use_.fetch_or(bit, std::memory_order_relaxed) | bit;
  const PageCount share{most_kept().count / count_ones(in_use)};
  shelf.set_most(std::min(share, kMostOnShelf));
}

void PageHeap::put_all(SpanShelf& shelf, const SpanShelf::Spans& spans) {
  if (spans.is_empty()) return;
  const Locked locked(lock_);
  for (Span* const span : spans) put_span(*span, false);
  shelf.note_arrival(spans.count());
}

bool PageHeap::empty(SpanShelf& shelf) {
  SpanShelf::Spans all;
  shelf.take_all(&all);
  put_all(shelf, all);
  return !all.is_empty();
}

bool PageHeap::empty_shelves() {
  bool kept_any = false;
  for (SpanShelf& shelf : shelves_) kept_any = empty(shelf) || kept_any;
  return kept_any;
}

void PageHeap::after_fork_in_child() {
  bool some = false;
  for (SpanShelf& shelf : shelves_) some = shelf.forget_leaving() || some;
  if (!some) return;
  const Locked locked(lock_);
  for (SpanId id = 1; id < spans_.end(); ++id) {
    Span& span = window_.span(id);
    if (span.kind == SpanKind::kCached && !has_kept(span.first)) put_span(span, false);
  }
}

// What was kept becomes free pages. REQUIRES: not in the cache any more.
void PageHeap::uncache(Span& span) {
  const PageRun run{span.first, span.pages};
  spans_.put(span);
  put_locked(run);
}

void PageHeap::empty_cache() {
  while (!cache_.is_empty()) uncache(*cache_.take_oldest());
}

void PageHeap::learn_system() {
  const Locked locked(lock_);
  memory_.learn_huge_pages();
}

void PageHeap::settle() {
  empty_shelves();
  const Locked locked(lock_);
  empty_cache();
  memory_.settle(in_use_, emptying_);
  check();
}

bool PageHeap::prepare() {
  if (window_.placed()) return true;
  const Locked locked(lock_);
  return window_.placed() || grow(PageCount{1});
}

bool PageHeap::place(PageCount count, PageRun* fresh) {
  const PageCount first_step = std::max(kFirstStep, count);
  if (!window_.place(first_step) && (first_step == count || !window_.place(count))) return false;
  *fresh = {PageIndex{0}, window_.end()};
  return true;
}

// Sees to it that at least `count` pages in a row are free at the end of the heap.
bool PageHeap::grow(PageCount count) {
  PageRun fresh;
  if (window_.placed()) {
    const std::uint32_t end = window_.end().count;
    const std::uint32_t step = std::clamp(end / 8, kExtentPages, kMostStep.count);
    const std::uint64_t generous =
        round_up(std::uint64_t{end} + std::max(step, count.count), kExtentPages) - end;
    const PageCount missing = count - std::min(count, free_.tail());
    if (!window_.grow({static_cast<std::uint32_t>(generous)}, &fresh) &&
        !window_.grow(missing, &fresh)) {
      return false;
    }
  } else if (!place(count, &fresh)) {
    return false;
  }
  memory_.on_growth(fresh);
  free_.put(fresh);
  return true;
}

PageCount PageHeap::release_all() {
  empty_shelves();
  const Locked locked(lock_);
  empty_cache();
  const PageCount released = memory_.release_all();
  check();
  return released;
}

PageHeap::Figures PageHeap::figures() {
  const Locked locked(lock_);
  const PageCount kept = this->kept();
  const PageCount cached = cache_.pages() + kept;
  return {.in_use = in_use_ - kept,
          .free = free_.free_count() + cached,
          .resident_free = memory_.resident_free() + cached};
}

void PageHeap::check() const {
  if constexpr (kChecked) {
    if (Checker::is_due()) Checker::pages(*this);
  }
}

}  // namespace mini::alloc
