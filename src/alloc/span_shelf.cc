// A few numbers are looked at for each block: a tree would be no faster for sixteen of them.
#include "alloc/span_shelf.h"

#include <algorithm>

namespace mini::alloc {

// The shortest that is long enough, so that long ones stay.
Span* SpanShelf::take(PageCount count, Window& window, SpanTable& spans) {
  const TryLocked locked(lock_);
  if (!locked) return nullptr;
  std::uint32_t best = count_;
  PageCount best_count{~std::uint32_t{0}};
  for (std::uint32_t i = 0; i < count_; ++i) {
    const PageCount here = kept_[i].run.count;
    if (here < count || here >= best_count) continue;
    best = i;
    best_count = here;
  }
  if (best == count_) return nullptr;
  Span* const span = best_count == count ? remove(best) : cut(best, count, window, spans);
  if (span == nullptr) return nullptr;
  span->kind = SpanKind::kLarge;
  span->heap = 0;
  window.set_entry(span->first, {kCodeLarge, 0});
  change_pages(0 - count.count);
  ++taken_.blocks;
  taken_.pages += count;
  return span;
}

// The first pages of a longer span. Null where there is no record for them.
Span* SpanShelf::cut(std::uint32_t i, PageCount count, Window& window, SpanTable& spans) {
  Span* const span = take_record(spans);
  if (span == nullptr) return nullptr;
  Span& rest = *kept_[i].span;
  span->first = rest.first;
  span->pages = count;
  rest.first = rest.first + count;
  rest.pages -= count;
  kept_[i].run = {rest.first, rest.pages};
  window.span_id(span->first) = window.id_of(*span);
  window.span_id(rest.first) = window.id_of(rest);
  return span;
}

bool SpanShelf::put(Span& span, Window& window, SpanTable& spans, Spans* over) {
  const std::uint32_t most = most_.load(std::memory_order_relaxed);
  if (span.pages.count > most) return false;
  const TryLocked locked(lock_);
  if (!locked) return false;
  change_pages(span.pages.count);
  --taken_.blocks;
  taken_.pages -= span.pages;
  add(join(span, spans));
  if (pages().count <= most && count_ < kMostSpans) return true;
  // Some more than must be, so that the next ones find room.
  const std::uint32_t least = most - most / 4;
  while (pages().count > least || count_ > kMostSpans - kMostSpans / 4) {
    Span& highest = take_highest(pages().count - std::min(pages().count, least), window, spans);
    change_pages(0 - highest.pages.count);
    over->add(highest);
  }
  return true;
}

// Or its last pages, so many, where it has more. What is kept is low, as what the page heap gives:
// were it the other way round, high pages would go round here, and the heap never end below them.
Span& SpanShelf::take_highest(std::uint32_t enough, Window& window, SpanTable& spans) {
  std::uint32_t highest = 0;
  for (std::uint32_t i = 1; i < count_; ++i) {
    if (kept_[highest].run.first < kept_[i].run.first) highest = i;
  }
  const std::uint32_t length = kept_[highest].run.count.count;
  Span* const lower = enough != 0 && enough < length
                          ? cut(highest, PageCount{length - enough}, window, spans)
                          : nullptr;
  Span& upper = *remove(highest);
  if (lower != nullptr) add(*lower);
  return upper;
}

// A span with those that touch it, which are in the shelf no longer.
Span& SpanShelf::join(Span& span, SpanTable& spans) {
  Span* joined = &span;
  for (std::uint32_t i = count_; i-- > 0;) {
    const bool before = kept_[i].run.end() == joined->first;
    if (!before && kept_[i].run.first != joined->first + joined->pages) continue;
    Span* const other = remove(i);
    Span& upper = before ? *joined : *other;
    Span& lower = before ? *other : *joined;
    lower.pages += upper.pages;
    put_record(upper, spans);
    joined = &lower;
  }
  return *joined;
}

void SpanShelf::take_all(Spans* all) {
  const Locked locked(lock_);
  while (count_ != 0) all->add(*remove(count_ - 1));
  pages_.store(0, std::memory_order_relaxed);
}

bool SpanShelf::has(PageIndex page) const {
  return std::any_of(kept_.begin(), kept_.begin() + count_, [page](const Kept& kept) {
    return kept.run.first <= page && page < kept.run.end();
  });
}

SpanShelf::Taken SpanShelf::taken() {
  const Locked locked(lock_);
  return taken_;
}

void SpanShelf::add(Span& span) {
  span.kind = SpanKind::kCached;
  kept_[count_++] = {.span = &span, .run = {span.first, span.pages}};
}

Span* SpanShelf::remove(std::uint32_t i) {
  Span* const span = kept_[i].span;
  kept_[i] = kept_[--count_];
  return span;
}

Span* SpanShelf::take_record(SpanTable& spans) {
  return record_count_ != 0 ? records_[--record_count_] : spans.take();
}

void SpanShelf::put_record(Span& span, SpanTable& spans) {
  if (record_count_ == kMostSpans) return spans.put(span);
  span = Span{};
  records_[record_count_++] = &span;
}

}  // namespace mini::alloc
