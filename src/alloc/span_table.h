// The table of spans: takes and returns their records.
#pragma once

#include "alloc/lock.h"
#include "alloc/span.h"
#include "alloc/window.h"

namespace mini::alloc {

/// Thread-safe. Its lock is the lowest: a thread that holds it takes no other.
class SpanTable {
 public:
  explicit constexpr SpanTable(Window& window) : window_(window) {}

  /// A record of kind kFree with nothing else set; null where there is no memory.
  Span* take();
  void put(Span& span);

  /// Ids in use are below this.
  SpanId end() const { return end_; }
  Lock& lock() { return lock_; }

 private:
  friend struct Inspector;

  Lock lock_{LockRank::kSpans};
  Window& window_;
  SpanList free_;
  SpanId end_ = 1;
};

}  // namespace mini::alloc
