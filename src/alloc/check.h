// Every invariant that the headers write as an equation, executed. Checked builds only.
#pragma once

#include <cstdint>

namespace mini::alloc {

class Allocator;
class Bin;
class FreePages;
class Heap;
class HeapTable;
class PageHeap;
class Residency;
class SpanCache;
class SpanShelf;
class ThreadCache;
class Window;
struct Backing;
struct Extent;
struct Span;

/// Each looks at what it is named after and aborts, with a line that names the invariant, where one
/// does not hold. REQUIRES, of all: the lock that guards it is held, or nobody else is there.
struct Checker {
  /// S1 to S3.
  static void slab(const Span& slab);
  /// E1 to E3.
  static void extent(const Extent& extent, std::uint32_t index);
  /// F1 to F3.
  static void free_pages(const FreePages& pages);
  /// R1.
  static void residency(const Residency& memory);
  /// K1.
  static void span_cache(const SpanCache& cache);
  /// K2.
  static void span_shelf(const SpanShelf& shelf);
  /// All extents, and those above but for the last.
  static void pages(const PageHeap& pages);
  /// B1 to B3, and the page map's entries of each slab.
  static void bin(const Bin& bin, Backing& backing);
  /// T1, T2, and S4 of the blocks in it.
  static void cache(const ThreadCache& cache);
  /// H1, and all bins.
  static void heap(Heap& heap, Backing& backing);
  /// Everything above, that each page is free, of one span, or nobody's, and P1.
  static void everything(Allocator& allocator);

  /// Whether it is a time to look at all of a structure: seldom, since that takes long.
  static bool is_due();

 private:
  static void slab_pages(const Span& slab, Backing& backing);
  static void spans(Backing& backing);
};

}  // namespace mini::alloc
