// What threads do for each large block, so that each shared line that is written counts.
#include "alloc/span_shelf.h"

#include <algorithm>

namespace mini::alloc {

// The shortest that is long enough, so that long ones stay.
Span* SpanShelf::take(PageCount count, Window& window, SpanTable& spans) {
  const TryLocked locked(lock_);
  if (!locked) return nullptr;
  const std::uint32_t slot = runs_.shortest(count);
  if (slot == KeptRuns::kNone) return nullptr;
  Span* const span =
      runs_.run(slot).count == count ? remove(slot) : cut(slot, count, window, spans);
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
Span* SpanShelf::cut(std::uint32_t slot, PageCount count, Window& window, SpanTable& spans) {
  Span* const span = take_record(spans);
  if (span == nullptr) return nullptr;
  Span& rest = *spans_[slot];
  span->first = rest.first;
  span->pages = count;
  rest.first = rest.first + count;
  rest.pages -= count;
  runs_.set(slot, {rest.first, rest.pages});
  window.span_id(span->first) = window.id_of(*span);
  window.span_id(rest.first) = window.id_of(rest);
  return span;
}

SpanShelf::Put SpanShelf::put(Span& span, Window& window, SpanTable& spans, Spans* over) {
  const std::uint32_t most = most_.load(std::memory_order_relaxed);
  if (span.pages.count > most) return Put::kElsewhere;
  const TryLocked locked(lock_);
  if (!locked) return Put::kElsewhere;
  if (!window.clear_large(span.first)) return Put::kWasFree;
  change_pages(span.pages.count);
  --taken_.blocks;
  taken_.pages -= span.pages;
  add(join(span, spans));
  if (pages().count <= most && !runs_.is_full()) return Put::kKept;
  // Some more than must be, so that the next ones find room.
  const std::uint32_t least = most - most / 4;
  while (pages().count > least || runs_.count() > kMostSpans - kMostSpans / 4) {
    Span& highest = take_highest(pages().count - std::min(pages().count, least), window, spans);
    change_pages(0 - highest.pages.count);
    leave(highest, over);
  }
  return Put::kKept;
}

// Or its last pages, so many, where it has more. What is kept is low, as what the page heap gives:
// were it the other way round, high pages would go round here, and the heap never end below them.
Span& SpanShelf::take_highest(std::uint32_t enough, Window& window, SpanTable& spans) {
  const std::uint32_t highest = runs_.highest();
  const std::uint32_t length = runs_.run(highest).count.count;
  Span* const lower = enough != 0 && enough < length
                          ? cut(highest, PageCount{length - enough}, window, spans)
                          : nullptr;
  Span& upper = *remove(highest);
  if (lower != nullptr) add(*lower);
  return upper;
}

// A span with those that touch it, which are in the shelf no longer.
Span& SpanShelf::join(Span& span, SpanTable& spans) {
  const KeptRuns::Neighbours slots = runs_.neighbours({span.first, span.pages});
  Span* joined = &span;
  if (slots.before != KeptRuns::kNone) {
    joined = remove(slots.before);
    joined->pages += span.pages;
    put_record(span, spans);
  }
  if (slots.after != KeptRuns::kNone) {
    Span& upper = *remove(slots.after);
    joined->pages += upper.pages;
    put_record(upper, spans);
  }
  return *joined;
}

void SpanShelf::take_all(Spans* all) {
  const Locked locked(lock_);
  while (!runs_.is_empty()) leave(*remove(runs_.highest()), all);
  pages_.store(0, std::memory_order_relaxed);
}

bool SpanShelf::has(PageIndex page) const {
  return runs_.has(page);
}

SpanShelf::Taken SpanShelf::taken() {
  const Locked locked(lock_);
  return taken_;
}

void SpanShelf::add(Span& span) {
  span.kind = SpanKind::kCached;
  spans_[runs_.add({span.first, span.pages})] = &span;
}

void SpanShelf::leave(Span& span, Spans* to) {
  to->add(span);
  leaving_.fetch_add(1, std::memory_order_relaxed);
}

Span* SpanShelf::remove(std::uint32_t slot) {
  runs_.remove(slot);
  return spans_[slot];
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
