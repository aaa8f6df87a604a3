// The one range of addresses in which an allocator keeps its heap and all that describes it.
//
// Nothing of it is held in advance: it lies where nobody else maps anything, and each part grows
// from its begin by mapping the next pages, so that the process's virtual size is what is used and
// limits on address space mean what they say.
//
//   ┌─────────┬─────────┬────────┬──────────┬──────────┬────────────────────────┐
//   │ records │ extents │ spans  │ span ids │ page map │ heap →                 │
//   └─────────┴─────────┴────────┴──────────┴──────────┴────────────────────────┘
//    thread    a struct  a struct  4 bytes    2 bytes    pages, numbered from 0
//    caches …  an extent a span    a page     a page
#pragma once

#include <algorithm>
#include <atomic>
#include <cstddef>
#include <cstdint>

#include "alloc/extent.h"
#include "alloc/page_map.h"
#include "alloc/pages.h"
#include "alloc/span.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {

#if defined(__aarch64__)
inline constexpr std::size_t kWindowBytes = std::size_t{1} << 36;  // 39-bit address spaces exist
#else
inline constexpr std::size_t kWindowBytes = std::size_t{1} << 40;
#endif
inline constexpr std::uint32_t kWindowPages = kWindowBytes / kPageBytes;
inline constexpr std::uint32_t kWindowExtents = kWindowBytes / kExtentBytes;
inline constexpr std::uint32_t kMostSpans = std::uint32_t{1} << 26;
inline constexpr std::size_t kMostRecordBytes = std::size_t{1} << 32;

/// How the pages of a window become usable.
struct Committer {
  bool reserved = false;  // the range is held by us already
  kernel::vm::MapResult operator()(void* at, std::size_t bytes) const;
  /// The same, where that was refused, right behind pages that are usable.
  bool lengthen(void* end, std::size_t bytes) const;
};

/// An array in the window that grows at its end. Elements begin as zero bytes.
template <typename T>
class GrowingArray {
 public:
  /// Its part of the window ends after `most` elements: what follows is another's.
  void place(std::byte* at, std::size_t most) {
    begin_ = at;
    most_bytes_ = in_steps(most * sizeof(T));
  }

  /// Makes elements [0, count) usable, and some after them where the kernel gives so much. False
  /// where it refuses.
  bool reach(std::size_t count, Committer commit) {
    const std::size_t wanted = count * sizeof(T);
    if (wanted <= committed_bytes_) return true;
    const std::size_t least = in_steps(wanted);
    const std::size_t generous = std::min(in_steps(wanted + wanted / 2), most_bytes_);
    return least <= most_bytes_ &&
           (commit_to(generous, commit) || (least < generous && commit_to(least, commit)));
  }

  /// All of its part is usable already.
  void be_whole() { committed_bytes_ = most_bytes_; }

  /// Unmaps what was mapped for it.
  void give_back() {
    if (committed_bytes_ != 0) kernel::vm::unmap(begin_, committed_bytes_);
    committed_bytes_ = 0;
  }

  T* data() const { return reinterpret_cast<T*>(begin_); }
  T& operator[](std::size_t i) const { return data()[i]; }
  std::size_t committed_bytes() const { return committed_bytes_; }

 private:
  friend struct Inspector;

  static constexpr std::size_t in_steps(std::size_t bytes) {
    constexpr std::size_t kStep = std::size_t{64} << 10;
    return (bytes + kStep - 1) & ~(kStep - 1);
  }
  bool commit_to(std::size_t bytes, Committer commit) {
    std::byte* const end = begin_ + committed_bytes_;
    const std::size_t more = bytes - committed_bytes_;
    if (commit(end, more) != kernel::vm::MapResult::kMapped &&
        (committed_bytes_ == 0 || !commit.lengthen(end, more))) {
      return false;
    }
    committed_bytes_ = bytes;
    return true;
  }

  std::byte* begin_ = nullptr;
  std::size_t most_bytes_ = 0;
  std::size_t committed_bytes_ = 0;
};

class Window {
 public:
  constexpr Window() = default;
  Window(const Window&) = delete;
  Window& operator=(const Window&) = delete;

  /// Finds a place and makes the first `pages` of the heap usable. False where the kernel has none
  /// for us now; may be tried again. REQUIRES: not placed.
  bool place(PageCount pages);
  /// Any thread: what place() did is visible to whom it says true.
  bool placed() const { return heap_bytes_.load(std::memory_order_acquire) != 0; }

  /// Makes `more` pages usable and says where, in *grown: after all that are, with a gap before
  /// them where somebody else has mapped something there. The extents have all of them marked used.
  /// False where the kernel refuses. Guarded by the page heap's lock.
  bool grow(PageCount more, PageRun* grown);
  /// Pages that have an entry in the page map, gaps included.
  PageCount end() const { return end_; }

  std::byte* address(PageIndex page) const {
    return reinterpret_cast<std::byte*>(begin() + (std::size_t{page.value} << kPageShift));
  }
  /// The first page from `page` on whose address is a multiple of `alignment` pages, a power of
  /// two.
  PageIndex align(PageIndex page, PageCount alignment) const {
    const std::uint64_t first = begin() >> kPageShift;
    const std::uint64_t mask = alignment.count - 1;
    return {static_cast<std::uint32_t>(((first + page.value + mask) & ~mask) - first)};
  }
  /// Bytes from the heap's begin; wraps round to a large number for what lies before it.
  std::size_t offset(const void* p) const { return reinterpret_cast<std::uintptr_t>(p) - begin(); }
  /// Whether the page map has an entry for it. Any thread, any pointer.
  bool contains(std::size_t offset) const {
    return offset < heap_bytes_.load(std::memory_order_relaxed);
  }
  PageEntry entry(std::size_t offset) const { return page_map_[offset >> kPageShift].load(); }
  PageEntry entry(PageIndex page) const { return page_map_[page.value].load(); }

  void set_entry(PageIndex page, PageEntry entry) { page_map_[page.value].store(entry); }
  /// See PageMapEntry::clear_large().
  bool clear_large(PageIndex page) { return page_map_[page.value].clear_large(); }
  SpanId& span_id(PageIndex page) { return span_ids_[page.value]; }
  SpanId span_id(PageIndex page) const { return span_ids_[page.value]; }
  Extent& extent(std::uint32_t i) const { return extents_[i]; }
  std::uint32_t extent_count() const { return (end_.count + kExtentPages - 1) / kExtentPages; }
  Span& span(SpanId id) const { return spans_[id]; }
  SpanId id_of(const Span& span) const { return static_cast<SpanId>(&span - spans_.data()); }
  bool reach_span(SpanId id) { return spans_.reach(std::size_t{id} + 1, commit_); }
  std::byte* records() const { return records_.data(); }
  bool reach_records(std::size_t bytes) {
    return bytes <= kMostRecordBytes && records_.reach(bytes, commit_);
  }

  /// Bytes mapped for the arrays, address space only.
  std::size_t metadata_bytes() const;

 private:
  friend struct Inspector;

  std::uintptr_t begin() const { return heap_begin_.load(std::memory_order_relaxed); }
  enum class Way : std::uint8_t { kInParts, kInOne, kReserved };
  bool try_place(std::uintptr_t begin, Way way, PageCount pages);
  bool map_in_one();
  kernel::vm::MapResult extend(std::uint64_t first, PageCount more);
  bool describe(std::uint64_t end_page);
  void forget();

  // What free() reads first: one cache line.
  alignas(64) std::atomic<std::uintptr_t> heap_begin_{0};
  std::atomic<std::size_t> heap_bytes_{0};
  GrowingArray<PageMapEntry> page_map_;
  GrowingArray<SpanId> span_ids_;
  GrowingArray<std::byte> records_;
  GrowingArray<Extent> extents_;
  GrowingArray<Span> spans_;
  Committer commit_;
  bool in_one_ = false;  // all before the heap is one mapping
  PageCount end_;
};

}  // namespace mini::alloc
