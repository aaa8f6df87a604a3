// Records are never unmapped, so a reader in another process may look at any of them at any time.
#include "alloc/span_table.h"

namespace mini::alloc {

Span* SpanTable::take() {
  const Locked locked(lock_);
  if (Span* const span = free_.front(); span != nullptr) {
    free_.remove(*span);
    return span;
  }
  if (end_ == kMostSpans || !window_.reach_span(end_)) return nullptr;
  return &window_.span(end_++);
}

void SpanTable::put(Span& span) {
  const Locked locked(lock_);
  span = Span{};
  free_.push(span);
}

}  // namespace mini::alloc
