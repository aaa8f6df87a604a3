// What bins and heaps stand on: where their pages and their records come from.
#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/page_heap.h"
#include "alloc/records.h"
#include "alloc/size_class.h"
#include "alloc/span_table.h"
#include "alloc/window.h"

namespace mini::alloc {

struct Backing {
  constexpr Backing() : pages(window, spans), spans(window), records(window) {}

  Window window;
  PageHeap pages;
  SpanTable spans;
  Records records;
  std::atomic<std::uint32_t> threads{0};  // that have a cache

  /// The slab or large block that a page belongs to. REQUIRES: `entry` is its entry, of a slab or
  /// a large block's first page.
  Span& span_at(std::size_t offset, PageEntry entry) {
    const auto page = static_cast<std::uint32_t>(offset >> kPageShift);
    return window.span(window.span_id(PageIndex{page - entry.page_of_slab}));
  }
  std::byte* begin_of(const Span& span) const { return window.address(span.first); }
  /// Which block of a slab begins at p; at least slab.block_count where none does. REQUIRES: p is
  /// in the slab.
  std::uint32_t block_index(const Span& slab, const void* p) const {
    const auto in_slab = static_cast<const std::byte*>(p) - begin_of(slab);
    return kDivisors[slab.size_class].quotient(static_cast<std::uint32_t>(in_slab));
  }
};

}  // namespace mini::alloc
