// A heap: bins for small blocks and spans for large ones. Heap 0 is the one that malloc uses; a
// program can make more and destroy each with all that is in it.
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>

#include "alloc/backing.h"
#include "alloc/bin.h"
#include "alloc/size_class.h"

namespace mini::alloc {

/// The most that can be asked for. Far below PTRDIFF_MAX, which is glibc's: all is in the window.
inline constexpr std::size_t kLargestRequest = kWindowBytes / 2;

/// Thread-safe.
///
///  H1  every large span of heaps other than 0 is in large_, in no particular order
class Heap {
 public:
  constexpr Heap() = default;

  /// A small block without any thread's cache; null where there is no memory.
  void* allocate_small(Backing& backing, ClassIndex size_class);
  /// A span of its own, for any size.
  struct LargeRequest {
    std::size_t bytes = 0;
    std::size_t alignment = kPageBytes;  // a power of two, at least a page
    bool growing = false;                // more of it is likely to be wanted soon
    bool zero = false;                   // it is to read as zeros
    SpanShelf* shelf = nullptr;          // where to look first; of heap 0 only
  };
  /// Null where there is no memory.
  void* allocate_large(Backing& backing, const LargeRequest& wanted);
  /// Returns a block. REQUIRES: it is in use and of this heap.
  void free_small(Backing& backing, ClassIndex size_class, void* block);
  struct LargeFree {
    SpanShelf* shelf = nullptr;  // where it may be kept; of heap 0 only
    bool emptied = false;        // its memory has been moved elsewhere
  };
  /// False, and nothing done, where another thread has just freed it.
  [[nodiscard]] bool free_large(Backing& backing, Span& span, const LargeFree& how);
  /// Changes a large block's size where it lies.
  bool resize_large(Backing& backing, Span& span, std::size_t bytes);
  /// Frees all that is in it. REQUIRES: no other thread uses the heap.
  void release_all(Backing& backing);

  Bin& bin(ClassIndex size_class) { return bins_[size_class]; }
  Bin* bins() { return bins_.data(); }
  Bin::Place place(Backing& backing, ClassIndex size_class, bool shared) const {
    return {.backing = backing, .heap = id_, .size_class = size_class, .shared = shared};
  }

  HeapId id() const { return id_; }
  static constexpr std::size_t kMostName = 31;
  /// "" for none; cut to kMostName bytes.
  const char* name() const { return name_.data(); }
  void identify(HeapId id, const char* name);

  struct LargeFigures {
    std::uint64_t blocks = 0;
    PageCount pages;
  };
  LargeFigures large_figures(Backing& backing);

 private:
  friend struct Inspector;
  friend struct Checker;

  void* take_large(Backing& backing, const PageHeap::Request& request, const LargeRequest& wanted,
                   SpanKind kind);
  void* give_large(Backing& backing, Span& span, SpanKind kind);

  HeapId id_ = 0;
  std::array<char, kMostName + 1> name_{};
  // Guarded by the page heap's lock, which whoever takes or frees a large block needs anyway, if no
  // shelf does: what those took and put is not counted here.
  LargeFigures large_count_;
  SpanList large_;
  std::array<Bin, kClassCount> bins_;
};

}  // namespace mini::alloc
