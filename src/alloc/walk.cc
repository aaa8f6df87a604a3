// The unit is a size class of a heap: its slabs' records, its depot and what threads keep of it are
// copied at one moment, with the bin's lock held; then the blocks are visited from the copy, with
// no lock. What is between a slab and a cache at that moment is in neither, and so taken for live.
#include "alloc/walk.h"

#include <algorithm>

#include "alloc/inside.h"
#include "alloc/inspector.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

// Memory for one copy after the other, straight from the kernel: the heap is what is looked at.
class Scratch {
 public:
  Scratch() = default;
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;
  ~Scratch() { release(); }

  /// At least `bytes`; what was in it is gone. False where there is no memory.
  bool reach(std::size_t bytes) {
    if (bytes <= bytes_) return true;
    release();
    constexpr std::size_t kStep = std::size_t{1} << 18;
    const std::size_t wanted = (bytes + kStep - 1) / kStep * kStep;
    void* const held = vm::reserve(wanted);
    if (held == nullptr) return false;
    if (vm::map_over(held, wanted) != vm::MapResult::kMapped) {
      vm::unmap(held, wanted);
      return false;
    }
    begin_ = static_cast<std::byte*>(held);
    bytes_ = wanted;
    return true;
  }
  std::byte* begin() const { return begin_; }

 private:
  void release() {
    if (begin_ != nullptr) vm::unmap(begin_, bytes_);
    begin_ = nullptr;
    bytes_ = 0;
  }

  std::byte* begin_ = nullptr;
  std::size_t bytes_ = 0;
};

// Free blocks by address, read in ascending order.
class Blocks {
 public:
  Blocks() = default;
  explicit Blocks(void** begin) : begin_(begin), end_(begin) {}

  void add(void* const* blocks, std::size_t count) {
    if (count == 0) return;
    std::copy_n(blocks, count, end_);
    end_ += count;
  }
  void** end() const { return end_; }
  void set_end(void** end) { end_ = end; }
  void sort() { std::sort(begin_, end_); }

  /// Whether a block is one of them. REQUIRES: sorted; no block is asked for after a later one.
  bool reaches(const void* block) {
    while (begin_ != end_ && *begin_ < block) ++begin_;
    return begin_ != end_ && *begin_ == block;
  }

 private:
  void** begin_ = nullptr;
  void** end_ = nullptr;
};

enum class Copied : std::uint8_t { kWhole, kBusy, kNoMemory };

class ClassCopy {
 public:
  ClassCopy(Allocator& allocator, Scratch& scratch) : allocator_(allocator), scratch_(scratch) {}

  /// Copies a class of the heap of a number, which need not exist any more.
  Copied take(HeapId heap, ClassIndex size_class);
  /// False where a visit ended the walk.
  bool visit(VisitBlock show, void* context);

 private:
  Copied try_take(ClassIndex size_class, Heap& heap, bool skip_busy);
  Copied copy(ClassIndex size_class, const Heap& heap, Bin& bin, bool skip_busy);
  bool copy_stack(const ThreadCache& cache, ClassIndex size_class);
  std::size_t room_for_caches(ClassIndex size_class) const;
  bool visit_slab(const Span& slab, VisitBlock show, void* context);

  Allocator& allocator_;
  Scratch& scratch_;
  Span* slabs_ = nullptr;
  std::size_t slab_count_ = 0;
  Blocks in_depot_;
  Blocks cached_;
  void** room_end_ = nullptr;  // of cached_
};

Copied ClassCopy::take(HeapId heap, ClassIndex size_class) {
  // A cache is busy for some microseconds, or as long as its thread sleeps in a page fault. The
  // last try takes what is there: the blocks of a busy cache then count as live.
  constexpr std::uint32_t kTries = 100;
  for (std::uint32_t i = 1;; ++i) {
    Copied copied = Copied::kWhole;
    {
      const Inside inside;
      const Locked locked(heap == 0 ? Inspector::registry_lock(allocator_)
                                    : allocator_.heaps().lock());
      slab_count_ = 0;
      Heap* const found = Inspector::heap_of(allocator_, heap);
      if (found != nullptr) copied = try_take(size_class, *found, i == kTries);
    }
    if (copied != Copied::kBusy) return copied;
    vm::nap();
  }
}

Copied ClassCopy::try_take(ClassIndex size_class, Heap& heap, bool skip_busy) {
  Bin& bin = heap.bin(size_class);
  const Locked locked(bin.lock());
  const Copied copied = copy(size_class, heap, bin, skip_busy);
  if (copied != Copied::kWhole) slab_count_ = 0;
  return copied;
}

// Slots of caches that belong to a class, and as many again: they may grow while we look.
std::size_t ClassCopy::room_for_caches(ClassIndex size_class) const {
  std::size_t slots = 0;
  for (const ThreadCache* cache = Inspector::caches(allocator_); cache != nullptr;
       cache = cache->next) {
    slots += Inspector::capacity(*cache, size_class);
  }
  return 2 * slots + kSizeClasses[size_class].cached_most;
}

Copied ClassCopy::copy(ClassIndex size_class, const Heap& heap, Bin& bin, bool skip_busy) {
  const std::uint32_t slabs = Inspector::slab_count(bin);
  if (slabs == 0) return Copied::kWhole;
  const std::uint32_t depot = Inspector::depot_count(bin);
  const std::size_t cached = heap.id() == 0 ? room_for_caches(size_class) : 0;
  if (!scratch_.reach(slabs * sizeof(Span) + (depot + cached) * sizeof(void*))) {
    return Copied::kNoMemory;
  }
  slabs_ = reinterpret_cast<Span*>(scratch_.begin());
  Inspector::for_each_slab(bin, [this](const Span& slab) { slabs_[slab_count_++] = slab; });
  in_depot_ = Blocks(reinterpret_cast<void**>(slabs_ + slab_count_));
  in_depot_.add(Inspector::depot(bin), depot);
  cached_ = Blocks(in_depot_.end());
  room_end_ = in_depot_.end() + cached;
  if (heap.id() != 0) return Copied::kWhole;
  for (const ThreadCache* cache = Inspector::caches(allocator_); cache != nullptr;
       cache = cache->next) {
    if (!copy_stack(*cache, size_class) && !skip_busy) return Copied::kBusy;
  }
  return Copied::kWhole;
}

// False, and nothing copied, where the thread was changing the stack.
bool ClassCopy::copy_stack(const ThreadCache& cache, ClassIndex size_class) {
  void** const begin = cached_.end();
  bool fits = false;
  const auto add = [&](void* const* blocks, std::size_t count) {
    fits = count <= static_cast<std::size_t>(room_end_ - begin);
    if (fits) cached_.add(blocks, count);
  };
  if (Inspector::with_stack(cache, size_class, add) && fits) return true;
  cached_.set_end(begin);
  return false;
}

bool ClassCopy::visit(VisitBlock show, void* context) {
  std::sort(slabs_, slabs_ + slab_count_,
            [](const Span& a, const Span& b) { return a.first < b.first; });
  if (slab_count_ != 0) {
    in_depot_.sort();
    cached_.sort();
  }
  for (std::size_t i = 0; i < slab_count_; ++i) {
    if (!visit_slab(slabs_[i], show, context)) return false;
  }
  return true;
}

bool ClassCopy::visit_slab(const Span& slab, VisitBlock show, void* context) {
  const std::byte* const begin = Inspector::backing(allocator_).begin_of(slab);
  for (std::uint32_t i = 0; i < slab.block_count; ++i) {
    WalkedBlock block{.address = begin + std::size_t{i} * slab.block_bytes(),
                      .usable_bytes = slab.block_bytes(),
                      .heap = slab.heap,
                      .size_class = slab.size_class};
    if (slab.free.test(i)) {
      block.state = BlockState::kFree;
    } else if (cached_.reaches(block.address)) {
      block.state = BlockState::kCached;
    } else if (in_depot_.reaches(block.address)) {
      block.state = BlockState::kInDepot;
    }
    if (!show(block, context)) return false;
  }
  return true;
}

// Large blocks have no list that all are in, but their records are never unmapped. One that is made
// or freed just now may be half written: then the page map does not name it (yet, or any more).
bool visit_large(Allocator& allocator, const Heap* heap, VisitBlock visit, void* context) {
  Backing& backing = allocator.backing();
  for (SpanId id = 1; id < backing.spans.end(); ++id) {
    const Span span = backing.window.span(id);
    const bool is_large = span.kind == SpanKind::kLarge || span.kind == SpanKind::kGrowing;
    if (!is_large || span.pages.count == 0 || (heap != nullptr && span.heap != heap->id())) {
      continue;
    }
    const std::byte* const begin = backing.begin_of(span);
    const std::size_t offset = backing.window.offset(begin);
    if (!backing.window.contains(offset) || backing.window.entry(offset).code != kCodeLarge ||
        backing.window.span_id(span.first) != id) {
      continue;
    }
    const WalkedBlock block{
        .address = begin, .usable_bytes = span.pages.bytes(), .heap = span.heap};
    if (!visit(block, context)) return false;
  }
  return true;
}

bool visit_pools(Allocator& allocator, VisitBlock visit, void* context) {
  for (std::size_t i = 0; const Pool* const pool = Inspector::pool(allocator, i); ++i) {
    const bool go_on = Inspector::for_each_pool_block(
        *pool, [&](const void* block, std::size_t usable, bool in_use) {
          const BlockState state = in_use ? BlockState::kLive : BlockState::kFree;
          return visit({.address = block, .usable_bytes = usable, .state = state}, context);
        });
    if (!go_on) return false;
  }
  return true;
}

}  // namespace

WalkEnd walk(Allocator& allocator, const Heap* heap, VisitBlock visit, void* context) {
  if (t_thread.inside) return WalkEnd::kInside;
  if (heap == nullptr || heap->id() == 0) {
    if (!visit_pools(allocator, visit, context)) return WalkEnd::kStopped;
  }
  Scratch scratch;
  ClassCopy copy(allocator, scratch);
  const std::uint32_t first = heap == nullptr ? 0 : heap->id();
  for (std::uint32_t id = first; id < Inspector::heap_end(allocator); ++id) {
    for (std::uint32_t i = 1; i < kClassCount; ++i) {
      const auto size_class = static_cast<ClassIndex>(i);
      if (copy.take(static_cast<HeapId>(id), size_class) == Copied::kNoMemory) {
        return WalkEnd::kNoMemory;
      }
      if (!copy.visit(visit, context)) return WalkEnd::kStopped;
    }
    if (heap != nullptr) break;
  }
  return visit_large(allocator, heap, visit, context) ? WalkEnd::kDone : WalkEnd::kStopped;
}

}  // namespace mini::alloc
