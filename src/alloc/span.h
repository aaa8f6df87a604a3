// Spans: runs of pages with one use. A slab is a span cut into equal blocks; a large block is a
// span of its own.
#pragma once

#include <cstdint>

#include "alloc/bits.h"
#include "alloc/pages.h"
#include "alloc/size_class.h"

namespace mini::alloc {

/// A span's number in the window's table; 0 is none.
using SpanId = std::uint32_t;
/// A heap's number; 0 is the one that malloc uses.
using HeapId = std::uint16_t;

enum class SpanKind : std::uint8_t {
  kFree,
  kSlab,
  kLarge,
  kGrowing,  // a large block that was moved in order to grow, with room after it that is its own
  kCached,   // a large block that was freed, kept whole in the span cache
};

/// Guarded by the lock of the bin that it belongs to (a slab), by the page heap's or a shelf's (a
/// large block that is kept), or by that of the span table (not in use). A large block in use is
/// its owner's, who alone may resize it: who else looks at it asks the page map whether it is still
/// there, and may see an old length. 64 bytes, so that no two threads share a line.
///
/// Of a slab:
///  S1  free_count == |free|, block_count <= kMostBlocks
///  S2  free has no bit from block_count on
///  S3  block_count == pages * kPageBytes / block size, kMostBlocks at the most
///  S4  a block whose bit is clear is in use by the program or cached by a thread or a depot
///  S5  swept, or every page has its bit in Extent::resident
struct alignas(64) Span {
  Span* next = nullptr;  // in the list that it is in
  Span* previous = nullptr;
  PageIndex first;
  PageCount pages;
  std::uint16_t free_count : 15 = 0;
  std::uint16_t swept : 1 = 0;  // of a slab: pages of it without a block may have been given back
  std::uint16_t block_count = 0;
  HeapId heap = 0;
  ClassIndex size_class = 0;
  SpanKind kind = SpanKind::kFree;
  Bits<kMostBlocks> free;  // of a slab: 1: the block is in the slab, ready to be taken

  void set_free_count(std::uint32_t count) { free_count = count & 0x7fffU; }
  std::uint32_t used_count() const { return std::uint32_t{block_count} - free_count; }
  std::uint32_t block_bytes() const { return kSizeClasses[size_class].block_bytes; }
};
static_assert(sizeof(Span) == 64);

/// A list of spans with links in the spans themselves.
class SpanList {
 public:
  Span* front() const { return first_; }

  void push(Span& span) {
    span.previous = nullptr;
    span.next = first_;
    if (first_ != nullptr) first_->previous = &span;
    first_ = &span;
  }

  void remove(Span& span) {
    (span.previous != nullptr ? span.previous->next : first_) = span.next;
    if (span.next != nullptr) span.next->previous = span.previous;
    span.next = span.previous = nullptr;
  }

 private:
  Span* first_ = nullptr;
};

}  // namespace mini::alloc
