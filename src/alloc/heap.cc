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
  if (request.alignment == PageCount{1}) {
    if (void* const cached = take_cached(backing, request.count); cached != nullptr) {
      if (wanted.zero) std::memset(cached, 0, wanted.bytes);
      return cached;
    }
  }
  Span* const span = backing.spans.take();
  if (span == nullptr) return nullptr;
  PageHeap::Grant grant;
  bool has_room = wanted.growing && request.count > pages_for(wanted.bytes);
  bool granted = backing.pages.take(request, &grant);
  if (!granted && has_room) {
    request = pages_of({.bytes = wanted.bytes, .alignment = wanted.alignment});
    has_room = false;
    granted = backing.pages.take(request, &grant);
  }
  if (!granted) {
    backing.spans.put(*span);
    return nullptr;
  }
  span->first = grant.first;
  span->pages = request.count;
  backing.window.span_id(grant.first) = backing.window.id_of(*span);
  if (wanted.zero && !grant.zeroed) backing.pages.zero({span->first, span->pages});
  const Locked locked(backing.pages.lock());
  return give_large(backing, *span, has_room ? SpanKind::kGrowing : SpanKind::kLarge);
}

void* Heap::take_cached(Backing& backing, PageCount count) {
  const Locked locked(backing.pages.lock());
  Span* const cached = backing.pages.take_cached(count);
  return cached != nullptr ? give_large(backing, *cached, SpanKind::kLarge) : nullptr;
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

bool Heap::free_large(Backing& backing, Span& span, bool emptied) {
  PageRun run;
  {
    const Locked locked(backing.pages.lock());
    run = {span.first, span.pages};
    // Of two threads that free it at once, one finds it gone.
    if (backing.window.entry(run.first).code != kCodeLarge) return false;
    backing.window.set_entry(run.first, {});
    if (id_ != 0) large_.remove(span);
    --large_count_.blocks;
    large_count_.pages -= run.count;
    if (!emptied && backing.pages.put_cached(span)) return true;
  }
  backing.spans.put(span);
  backing.pages.put(run, emptied);
  return true;
}

bool Heap::resize_large(Backing& backing, Span& span, std::size_t bytes) {
  if (bytes > kLargestRequest) return false;
  const PageCount wanted = std::max(pages_for(bytes), PageCount{1});
  const PageCount had = span.pages;
  if (span.kind == SpanKind::kGrowing && wanted <= had && wanted.count >= had.count / 2) {
    return true;  // what the room is for
  }
  if (wanted > had) {
    if (!backing.pages.take_after({span.first, had}, wanted - had)) return false;
  }
  span.pages = wanted;
  span.kind = SpanKind::kLarge;
  if (wanted < had) backing.pages.put({span.first + wanted, had - wanted});
  const Locked locked(backing.pages.lock());
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
  while (Span* const span = large_.front()) static_cast<void>(free_large(backing, *span));
}

Heap::LargeFigures Heap::large_figures(Backing& backing) {
  const Locked locked(backing.pages.lock());
  return large_count_;
}

}  // namespace mini::alloc
