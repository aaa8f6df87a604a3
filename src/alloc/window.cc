// Where a window goes and how it grows.
#include "alloc/window.h"

#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

constexpr std::size_t round_up(std::size_t n, std::size_t step) {
  return (n + step - 1) & ~(step - 1);
}

// Offsets of the parts from the window's begin. The heap begins at a multiple of the largest huge
// page there is, and so do the alignments that a program may ask for.
constexpr std::size_t kPartAlignment = std::size_t{1} << 30;
constexpr std::size_t kRecordsAt = 0;
constexpr std::size_t kExtentsAt = kRecordsAt + kMostRecordBytes;
constexpr std::size_t kSpansAt =
    kExtentsAt + round_up(kWindowExtents * sizeof(Extent), kPartAlignment);
constexpr std::size_t kSpanIdsAt = kSpansAt + round_up(kMostSpans * sizeof(Span), kPartAlignment);
constexpr std::size_t kPageMapAt =
    kSpanIdsAt + round_up(kWindowPages * sizeof(SpanId), kPartAlignment);
constexpr std::size_t kHeapAt =
    kPageMapAt + round_up(kWindowPages * sizeof(PageMapEntry), kPartAlignment);
constexpr std::size_t kWholeBytes = kHeapAt + kWindowBytes;

// Distances from this library (or the static program it is part of) to windows that are tried.
// Far below where the kernel maps files first: nothing grows into that gap from either side. A
// program that is linked to a fixed low address gets one far above. The library's own address is
// random where the kernel makes it so, and the window with it.
constexpr std::intptr_t kDistances[] = {
    -(std::intptr_t{1} << 44), std::intptr_t{1} << 44,    -(std::intptr_t{1} << 42),
    std::intptr_t{1} << 42,    -(std::intptr_t{1} << 38), std::intptr_t{1} << 38,
};

// Where somebody has mapped something in our way, we go on a gap further.
constexpr std::uint64_t kGapPages = (std::size_t{1} << 30) / kPageBytes;
constexpr std::uint32_t kMostGaps = 64;

}  // namespace

vm::MapResult Committer::operator()(void* at, std::size_t bytes) const {
  return reserved ? vm::map_over(at, bytes) : vm::map_at(at, bytes);
}

bool Committer::lengthen(void* end, std::size_t bytes) const {
  return !reserved && vm::lengthen(end, bytes);
}

void Window::forget() {
  heap_begin_.store(0, std::memory_order_relaxed);
  heap_bytes_.store(0, std::memory_order_relaxed);
  if (in_one_) {
    vm::unmap(records_.data(), kHeapAt);
  } else {
    page_map_.give_back();
    span_ids_.give_back();
    records_.give_back();
    extents_.give_back();
    spans_.give_back();
  }
  in_one_ = false;
  page_map_ = {};
  span_ids_ = {};
  records_ = {};
  extents_ = {};
  spans_ = {};
  end_ = {};
}

// With the heap right behind it, that is the only mapping that a window needs. It is 11 GiB long.
bool Window::map_in_one() {
  in_one_ = vm::map_at(records_.data(), kHeapAt) == vm::MapResult::kMapped;
  if (!in_one_) return false;
  records_.be_whole();
  extents_.be_whole();
  spans_.be_whole();
  span_ids_.be_whole();
  page_map_.be_whole();
  return true;
}

bool Window::try_place(std::uintptr_t begin, Way way, PageCount pages) {
  auto* const at = reinterpret_cast<std::byte*>(begin);
  commit_.reserved = way == Way::kReserved;
  records_.place(at + kRecordsAt, kMostRecordBytes);
  extents_.place(at + kExtentsAt, kWindowExtents);
  spans_.place(at + kSpansAt, kMostSpans);
  span_ids_.place(at + kSpanIdsAt, kWindowPages);
  page_map_.place(at + kPageMapAt, kWindowPages);
  heap_begin_.store(begin + kHeapAt, std::memory_order_relaxed);
  if ((way != Way::kInOne || map_in_one()) && reach_span(1) && reach_records(1) &&
      extend(0, pages) == vm::MapResult::kMapped) {
    return true;
  }
  // Some parts and no more: perhaps there are no more mappings to be had.
  const bool has_some = way == Way::kInParts && spans_.committed_bytes() != 0;
  forget();  // nothing of it is in the way of another try
  return has_some && try_place(begin, Way::kInOne, pages);
}

bool Window::place(PageCount pages) {
  const auto self = reinterpret_cast<std::uintptr_t>(this) & ~(kPartAlignment - 1);
  for (const std::intptr_t distance : kDistances) {
    const std::uintptr_t begin = self + static_cast<std::uintptr_t>(distance);
    const bool wraps = (begin < self) != (distance < 0);
    if (!wraps && begin + kWholeBytes > begin && try_place(begin, Way::kInParts, pages)) {
      return true;
    }
  }
  // An unusual address space, or a sanitizer that allows mappings in few places only.
  void* const held = vm::reserve(kWholeBytes + kPartAlignment);
  if (held == nullptr) return false;
  const std::uintptr_t begin = round_up(reinterpret_cast<std::uintptr_t>(held), kPartAlignment);
  if (try_place(begin, Way::kReserved, pages)) return true;
  vm::unmap(held, kWholeBytes + kPartAlignment);
  return false;
}

bool Window::describe(std::uint64_t end_page) {
  const auto extents = static_cast<std::size_t>((end_page + kExtentPages - 1) / kExtentPages);
  return end_page <= kWindowPages && page_map_.reach(end_page, commit_) &&
         span_ids_.reach(end_page, commit_) && extents_.reach(extents, commit_);
}

// Makes pages from `first` on usable, which is the end or beyond it.
vm::MapResult Window::extend(std::uint64_t first, PageCount more) {
  const std::uint64_t end = first + more.count;
  if (!describe(end)) return vm::MapResult::kRefused;
  const PageIndex begin{static_cast<std::uint32_t>(first)};
  const vm::MapResult result = commit_(address(begin), more.bytes());
  bool huge = false;
  if (result != vm::MapResult::kMapped) {
    const bool follows = first == end_.count && (first != 0 || in_one_);
    if (result != vm::MapResult::kRefused || !follows ||
        !commit_.lengthen(address(begin), more.bytes())) {
      return result;
    }
    huge = first != 0 && extents_[extent_count() - 1].huge;
  }
  const std::uint32_t extents_before = extent_count();
  end_ = {static_cast<std::uint32_t>(end)};
  for (std::uint32_t i = extents_before; i < extent_count(); ++i) {
    extents_[i].used.set_run({0, kExtentPages});
    extents_[i].huge = huge;
  }
  heap_bytes_.store(end_.bytes(), std::memory_order_release);
  return vm::MapResult::kMapped;
}

bool Window::grow(PageCount more, PageRun* grown) {
  vm::MapResult result = vm::MapResult::kTaken;
  for (std::uint32_t tries = 0; tries < kMostGaps && result == vm::MapResult::kTaken; ++tries) {
    const std::uint64_t first =
        tries == 0 ? end_.count : round_up(end_.count, kGapPages) + (tries - 1) * kGapPages;
    result = extend(first, more);
    *grown = {PageIndex{static_cast<std::uint32_t>(first)}, more};
  }
  return result == vm::MapResult::kMapped;
}

std::size_t Window::metadata_bytes() const {
  return records_.committed_bytes() + extents_.committed_bytes() + spans_.committed_bytes() +
         span_ids_.committed_bytes() + page_map_.committed_bytes();
}

}  // namespace mini::alloc
