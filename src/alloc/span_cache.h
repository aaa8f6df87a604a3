// Large blocks that were freed last, kept whole for the next requests of their lengths.
#pragma once

#include <algorithm>
#include <array>
#include <cstdint>

#include "alloc/pages.h"
#include "alloc/span.h"

namespace mini::alloc {

/// Not thread-safe: guarded by the page heap's lock. The spans in it are nobody's, of kind kCached;
/// the page map does not name them, and their pages count as neither used nor free.
///
///  K1  pages() == sum of Span::pages over the spans
class SpanCache {
 public:
  bool is_empty() const { return count_ == 0; }
  bool is_full() const { return count_ == kMost; }
  PageCount pages() const { return pages_; }

  /// REQUIRES: not full.
  void add(Span& span) {
    spans_[count_] = &span;
    lengths_[count_++] = span.pages.count;
    pages_ += span.pages;
  }

  /// The span of exactly so many pages that was added last, no longer in the cache; null for none.
  Span* take(PageCount count) {
    for (std::uint32_t i = count_; i-- > 0;) {
      if (lengths_[i] == count.count) return remove(i);
    }
    return nullptr;
  }

  bool has(PageIndex first) const {
    return std::any_of(spans_.begin(), spans_.begin() + count_,
                       [first](const Span* span) { return span->first == first; });
  }

  /// The one that was added first. REQUIRES: not empty.
  Span* take_oldest() { return remove(0); }

 private:
  friend struct Inspector;
  friend struct Checker;

  static constexpr std::uint32_t kMost = 8;

  Span* remove(std::uint32_t i) {
    Span* const span = spans_[i];
    std::copy(spans_.begin() + i + 1, spans_.begin() + count_, spans_.begin() + i);
    std::copy(lengths_.begin() + i + 1, lengths_.begin() + count_, lengths_.begin() + i);
    --count_;
    pages_ -= span->pages;
    return span;
  }

  std::array<Span*, kMost> spans_{};  // [0, count_), oldest first
  std::array<std::uint32_t, kMost> lengths_{};
  std::uint32_t count_ = 0;
  PageCount pages_;
};

}  // namespace mini::alloc
