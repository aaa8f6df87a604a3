// Small blocks one at a time, large blocks as spans of their own.
#include "alloc/heap.h"

#include <algorithm>
#include <cstring>

namespace mini::alloc {

void* Heap::allocate_small(Backing& backing, ClassIndex size_class) {
  void* block = nullptr;
  bins_[size_class].take(&block, 1, place(backing, size_class, false));
  return block;
}

void Heap::free_small(Backing& backing, ClassIndex size_class, void* block) {
  bins_[size_class].put(&block, 1, place(backing, size_class, false));
}

namespace {

// A block that grew once will again. It gets extents of its own with half as much room after it:
// address space without memory, until it is touched.
constexpr PageCount kRoomFrom{(std::size_t{1} << 20) / kPageBytes};

PageHeap::Request pages_of(const Heap::LargeRequest& wanted) {
  PageHeap::Request request{.count = std::max(pages_for(wanted.bytes), PageCount{1}),
                            .alignment = pages_for(wanted.alignment),
                            .zero = wanted.zero};
  if (wanted.growing && request.count >= kRoomFrom) {
    const std::uint32_t extents =
        (request.count.count + request.count.count / 2 + kExtentPages - 1) / kExtentPages;
    request.count = {extents * kExtentPages};
    request.alignment = std::max(request.alignment, PageCount{kExtentPages});
    request.touch = Touch::kInOrder;
  }
  return request;
}

}  // namespace

void* Heap::allocate_large(Backing& backing, const LargeRequest& wanted) {
  if (wanted.bytes > kLargestRequest || wanted.alignment > kLargestRequest) return nullptr;
  PageHeap::Request request = pages_of(wanted);
  if (wanted.shelf != nullptr && request.alignment == PageCount{1}) {
    Span* const kept = backing.pages.take_kept(*wanted.shelf, request.count);
    if (kept != nullptr) {
      std::byte* const block = backing.begin_of(*kept);
      return wanted.zero ? std::memset(block, 0, wanted.bytes) : block;
    }
  }
  const bool has_room = wanted.growing && request.count > pages_for(wanted.bytes);
  void* block =
      take_large(backing, request, wanted, has_room ? SpanKind::kGrowing : SpanKind::kLarge);
  if (block == nullptr && has_room) {
    request = pages_of({.bytes = wanted.bytes, .alignment = wanted.alignment});
    block = take_large(backing, request, wanted, SpanKind::kLarge);
  }
  if (block == nullptr && backing.pages.empty_shelves()) {
    block = take_large(backing, request, wanted, SpanKind::kLarge);
  }
  return block;
}

void* Heap::take_large(Backing& backing, const PageHeap::Request& request,
                       const LargeRequest& wanted, SpanKind kind) {
  PageHeap::SpanGrant grant;
  void* block = nullptr;
  {
    const Locked locked(backing.pages.lock());
    if (!backing.pages.take_span(request, &grant)) return nullptr;
    block = give_large(backing, *grant.span, kind);
  }
  if (!wanted.zero || grant.zeroed) return block;
  if (grant.cached) return std::memset(block, 0, wanted.bytes);
  backing.pages.zero({grant.span->first, grant.span->pages});
  return block;
}

// Makes a span, which is nobody's, a block of this heap. REQUIRES: the page heap's lock is held.
void* Heap::give_large(Backing& backing, Span& span, SpanKind kind) {
  span.kind = kind;
  span.heap = id_;
  backing.window.set_entry(span.first, {kCodeLarge, 0});
  if (id_ != 0) large_.push(span);
  ++large_count_.blocks;
  large_count_.pages += span.pages;
  return backing.window.address(span.first);
}

bool Heap::free_large(Backing& backing, Span& span, const LargeFree& how) {
  if (how.shelf != nullptr && !how.emptied) {
    const SpanShelf::Put done = backing.pages.keep(*how.shelf, span);
    if (done != SpanShelf::Put::kElsewhere) return done == SpanShelf::Put::kKept;
  }
  // Within the lock, so that a fork finds the block in use or free.
  const Locked locked(backing.pages.lock());
  if (!backing.window.clear_large(span.first)) return false;
  if (id_ != 0) large_.remove(span);
  --large_count_.blocks;
  large_count_.pages -= span.pages;
  backing.pages.put_span(span, how.emptied);
  return true;
}

bool Heap::resize_large(Backing& backing, Span& span, std::size_t bytes) {
  if (bytes > kLargestRequest) return false;
  const PageCount wanted = std::max(pages_for(bytes), PageCount{1});
  const PageCount had = span.pages;
  if (span.kind == SpanKind::kGrowing && wanted <= had && wanted.count >= had.count / 2) {
    return true;  // what the room is for
  }
  const Locked locked(backing.pages.lock());
  if (wanted > had && !backing.pages.take_after({span.first, had}, wanted - had)) return false;
  span.pages = wanted;
  span.kind = SpanKind::kLarge;
  if (wanted < had) backing.pages.put_used({span.first + wanted, had - wanted}, false);
  large_count_.pages += wanted;
  large_count_.pages -= had;
  return true;
}

void Heap::identify(HeapId id, const char* name) {
  id_ = id;
  for (std::size_t i = 0; i + 1 < name_.size() && name[i] != '\0'; ++i) name_[i] = name[i];
}

void Heap::release_all(Backing& backing) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    bins_[i].release_all(place(backing, size_class, false));
  }
  while (Span* const span = large_.front()) static_cast<void>(free_large(backing, *span, {}));
}

Heap::LargeFigures Heap::large_figures(Backing& backing) {
  LargeFigures figures;
  if (id_ == 0) {
    for (SpanShelf& shelf : backing.pages.shelves()) {
      const SpanShelf::Taken taken = shelf.taken();
      figures.blocks += taken.blocks;
      figures.pages += taken.pages;
    }
  }
  const Locked locked(backing.pages.lock());
  figures.blocks += large_count_.blocks;
  figures.pages += large_count_.pages;
  return figures;
}

}  // namespace mini::alloc
