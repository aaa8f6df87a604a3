// Written to be read beside the headers: an equation there, a line here.
#include "alloc/check.h"

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>

#include "alloc/allocator.h"
#include "alloc/checked.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

constexpr std::uint32_t kLooksAtAll = 64;  // one in so many

class Line {
 public:
  Line& operator<<(const char* word) {
    const std::size_t fits = std::min(std::strlen(word), text_.size() - size_);
    std::memcpy(text_.data() + size_, word, fits);
    size_ += fits;
    return *this;
  }
  Line& operator<<(std::uint64_t number) {
    std::array<char, 24> digits{};
    std::size_t i = digits.size() - 1;
    do {
      digits[--i] = static_cast<char>('0' + number % 10);
      number /= 10;
    } while (number != 0);
    return *this << &digits[i];
  }
  [[noreturn]] void die() {
    *this << "\n";
    kernel::vm::write_error(text_.data(), size_);
    std::abort();
  }

 private:
  std::array<char, 320> text_{};
  std::size_t size_ = 0;
};

void require(bool holds, const char* invariant, std::uint64_t of) {
  if (holds) return;
  Line line;
  line << "minimalloc: broken invariant: " << invariant << " (of " << of << ")";
  line.die();
}

void require_equal(std::uint64_t a, std::uint64_t b, const char* invariant, std::uint64_t of) {
  if (a == b) return;
  Line line;
  line << "minimalloc: broken invariant: " << invariant << " (of " << of << "): " << a << ", " << b;
  line.die();
}

constexpr std::array kLockNames = {"fork handlers", "registry", "heap table", "bin",
                                   "shelf",         "pages",    "spans",      "records"};
constexpr std::size_t kRanks = kLockNames.size();

// How many locks of each rank the thread holds.
constinit thread_local std::array<std::uint32_t, kRanks> t_held
    __attribute__((tls_model("initial-exec"))) = {};
constinit thread_local std::uint32_t t_looks __attribute__((tls_model("initial-exec"))) = 0;

}  // namespace

void note_lock(LockRank rank) {
  const auto taken = static_cast<std::size_t>(rank);
  const bool all_taken = t_held[static_cast<std::size_t>(LockRank::kRegistry)] != 0;
  for (std::size_t held = taken; held < kRanks; ++held) {
    if (t_held[held] == 0 || (held == taken && all_taken && rank != LockRank::kRegistry)) continue;
    Line line;
    line << "minimalloc: lock order: the lock of " << kLockNames[taken]
         << " is taken by a thread that holds that of " << kLockNames[held];
    line.die();
  }
  ++t_held[taken];
}

void note_unlock(LockRank rank) {
  std::uint32_t& held = t_held[static_cast<std::size_t>(rank)];
  if (held == 0) {
    Line line;
    line << "minimalloc: a thread releases the lock of "
         << kLockNames[static_cast<std::size_t>(rank)] << " that it does not hold";
    line.die();
  }
  --held;
}

bool Checker::is_due() {
  return t_looks++ % kLooksAtAll == 0;
}

void Checker::slab(const Span& slab) {
  const std::uint32_t of = slab.first.value;
  require_equal(slab.free_count, slab.free.count(), "S1 free_count == |free|", of);
  require(slab.free.next_set(slab.block_count) == kMostBlocks, "S2 no free bit past the end", of);
  require_equal(slab.block_count, detail::blocks_in(slab.pages.count, slab.block_bytes()),
                "S3 block_count == pages / block size", of);
}

void Checker::extent(const Extent& extent, std::uint32_t index) {
  Bits<kExtentPages> resident_unused = extent.resident;
  for (std::uint32_t i = 0; i < extent.used.kWords; ++i) {
    require((extent.dirty.word(i) & ~extent.resident.word(i)) == 0, "E1 dirty within resident",
            index);
    resident_unused.word(i) &= ~extent.used.word(i);
  }
  require_equal(extent.resident_free, resident_unused.count(),
                "E2 resident_free == |resident and not used|", index);
  Extent summary = extent;
  summary.summarize();
  require_equal(extent.first_free, summary.first_free, "E3 first_free", index);
  require_equal(extent.longest_free, summary.longest_free, "E3 longest_free", index);
  require_equal(extent.last_free, summary.last_free, "E3 last_free", index);
}

void Checker::free_pages(const FreePages& pages) {
  const Window& window = pages.window_;
  const std::uint32_t extents = window.extent_count();
  std::uint64_t free = 0;
  std::uint32_t run = 0;  // that reaches the end of the extent before
  std::uint32_t longest_across = 0;
  for (std::uint32_t i = 0; i < extents; ++i) {
    const Extent& extent = window.extent(i);
    free += kExtentPages - extent.used.count();
    for (std::uint32_t k = 0; k < pages.hints_.size(); ++k) {
      require(i >= pages.hints_[k] || extent.longest_free >> k == 0,
              "F2 no free run of 2^k pages below hints_[k]", k);
    }
    if (run != 0 && extent.first_free != 0) {
      longest_across = std::max(longest_across, run + extent.first_free);
    }
    run = extent.all_free() ? run + kExtentPages : extent.last_free;
  }
  require_equal(pages.free_.count, free, "F1 free <=> used bit clear", extents);
  require(longest_across < pages.absent_across_, "F3 no run of absent_across_ crosses extents",
          longest_across);
}

void Checker::residency(const Residency& memory) {
  std::uint64_t sum = 0;
  const std::uint32_t extents = memory.window_.extent_count();
  for (std::uint32_t i = 0; i < extents; ++i) sum += memory.window_.extent(i).resident_free;
  require_equal(memory.resident_free_.count, sum, "R1 resident_free == sum over extents", extents);
}

void Checker::span_cache(const SpanCache& cache) {
  PageCount sum;
  for (std::uint32_t i = 0; i < cache.count_; ++i) {
    const Span& span = *cache.spans_[i];
    require(span.kind == SpanKind::kCached, "K1 cached spans are of that kind", span.first.value);
    require_equal(span.pages.count, cache.lengths_[i], "K1 lengths", span.first.value);
    sum += span.pages;
  }
  require_equal(cache.pages_.count, sum.count, "K1 pages == sum over spans", cache.count_);
}

void Checker::span_shelf(const SpanShelf& shelf) {
  PageCount sum;
  std::uint32_t count = 0;
  for (std::uint32_t slot = 0; slot < KeptRuns::kSlots; ++slot) {
    const PageRun run = shelf.runs_.run(slot);
    if (run.count == PageCount{}) continue;
    const Span& span = *shelf.spans_[slot];
    const std::uint32_t of = span.first.value;
    require(span.kind == SpanKind::kCached, "K2 kept spans are of that kind", of);
    require_equal(span.first.value, run.first.value, "K2 first pages", of);
    require_equal(span.pages.count, run.count.count, "K2 lengths", of);
    for (std::uint32_t other = 0; other < slot; ++other) {
      const PageRun lower = shelf.runs_.run(other);
      require(lower.count == PageCount{} || lower.end() < run.first || run.end() < lower.first,
              "K2 no two spans touch", of);
    }
    ++count;
    sum += span.pages;
  }
  require_equal(shelf.runs_.count(), count, "L2 of a free slot all numbers are 0", count);
  require_equal(shelf.pages().count, sum.count, "K2 pages == sum over spans", count);
}

void Checker::pages(const PageHeap& pages) {
  const std::uint32_t extents = pages.window_.extent_count();
  for (std::uint32_t i = 0; i < extents; ++i) extent(pages.window_.extent(i), i);
  free_pages(pages.free_);
  residency(pages.memory_);
  span_cache(pages.cache_);
}

// What is said elsewhere of a slab's pages: by the page map, and S5.
void Checker::slab_pages(const Span& slab, Backing& backing) {
  const std::uint32_t of = slab.first.value;
  for (std::uint32_t page = 0; page < slab.pages.count; ++page) {
    const PageEntry entry = backing.window.entry((slab.first + PageCount{page}).value * kPageBytes);
    require_equal(entry.page_of_slab, page, "the page map's page of a slab", of);
    require_equal(entry.code, slab.size_class | (slab.heap == 0 ? 0U : kCodeOwnHeap),
                  "the page map's class of a slab", of);
  }
  require_equal(backing.window.span_id(slab.first), backing.window.id_of(slab),
                "the span of a slab's first page", of);
  if (slab.swept == 0) {
    const Locked locked(backing.pages.lock());
    for_each_extent({slab.first, slab.pages}, [&](std::uint32_t of_extent, BitRun bits) {
      require_equal(backing.window.extent(of_extent).resident.count_in(bits), bits.length,
                    "S5 swept, or every page may have memory", of);
    });
  }
}

void Checker::bin(const Bin& bin, Backing& backing) {
  std::uint64_t slabs = 0;
  std::uint64_t blocks = 0;
  std::uint64_t used = 0;
  PageCount pages;
  for (std::uint32_t i = 0; i < Bin::kLists; ++i) {
    const Span* previous = nullptr;
    for (const Span* span = bin.lists_[i].front(); span != nullptr; span = span->next) {
      const std::uint32_t of = span->first.value;
      slab(*span);
      require(span->kind == SpanKind::kSlab, "B1 only slabs in the lists", of);
      require_equal(Bin::list_of(*span), i, "B1 in the list of its fullness or of those swept", of);
      require(span->previous == previous, "B1 the lists are whole", of);
      require(span->free_count != span->block_count, "B1 no slab is empty", of);
      slab_pages(*span, backing);
      previous = span;
      ++slabs;
      blocks += span->block_count;
      used += span->used_count();
      pages += span->pages;
    }
  }
  require_equal(bin.slabs_, slabs, "B1 every slab is in a list", slabs);
  require_equal(bin.pages_.count, pages.count, "B1 pages of all slabs", slabs);
  require_equal(bin.blocks_, blocks, "B1 blocks of all slabs", slabs);
  require_equal(bin.blocks_out_, used, "B2 blocks_out == sum of used_count()", slabs);
  require(bin.depot_count_ <= bin.depot_capacity_, "B3 depot_count <= depot_capacity", slabs);
}

void Checker::cache(const ThreadCache& cache) {
  std::uint64_t growth = 0;
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const auto size_class = static_cast<ClassIndex>(i);
    const BlockStack& stack = cache.stacks_[i];
    void* const* const bottom = cache.bottom(size_class);
    require(bottom <= stack.top && stack.top <= stack.limit, "T1 bottom <= top <= limit", i);
    require(bottom[-1] == nullptr, "T1 null ends a stack", i);
    if (const std::uint32_t capacity = cache.capacity_[i]; capacity != 0) {
      growth += std::uint64_t{capacity - ThreadCache::least_capacity(size_class)} *
                kSizeClasses[i].block_bytes;
    }
    // The words of a slab's bits are its bin's, though those of our blocks do not change.
    const Locked locked(cache.bins_[i].lock());
    for (void* const* slot = bottom; slot < stack.top; ++slot) {
      const std::size_t offset = cache.backing_.window.offset(*slot);
      require(cache.backing_.window.contains(offset), "T1 slots hold blocks", i);
      const PageEntry entry = cache.backing_.window.entry(offset);
      require_equal(entry.code, i, "T1 slots hold blocks of their class", i);
      const Span& span = cache.backing_.span_at(offset, entry);
      const std::uint32_t index = cache.backing_.block_index(span, *slot);
      require(index < span.block_count, "T1 slots hold begins of blocks", i);
      require(!span.free.test(index), "S4 a cached block's bit is clear", i);
    }
  }
  require_equal(cache.growth_bytes_, growth, "T2 growth_bytes == what capacities grew by", 0);
}

void Checker::heap(Heap& heap, Backing& backing) {
  for (std::uint32_t i = 1; i < kClassCount; ++i) bin(heap.bins_[i], backing);
  if (heap.id() == 0) return;
  std::uint64_t listed = 0;
  for (const Span* span = heap.large_.front(); span != nullptr; span = span->next) {
    require(span->kind == SpanKind::kLarge || span->kind == SpanKind::kGrowing,
            "H1 large blocks in the list", heap.id());
    require_equal(span->heap, heap.id(), "H1 large blocks of the heap in its list", heap.id());
    ++listed;
  }
  require_equal(heap.large_count_.blocks, listed, "H1 every large block is in the list", heap.id());
}

// Walks the window from its begin: at each page that is not free begins a span, or a gap goes on.
void Checker::spans(Backing& backing) {
  Window& window = backing.window;
  std::uint64_t spans_in_use = 0;
  PageCount cached;
  for (SpanId id = 1; id < backing.spans.end(); ++id) {
    const Span& span = window.span(id);
    spans_in_use += span.kind == SpanKind::kFree || span.kind == SpanKind::kCached ? 0U : 1U;
    if (span.kind != SpanKind::kCached) continue;
    cached += span.pages;
    require_equal(window.entry(span.first).code, kCodeNone, "the page map names no cached span",
                  span.first.value);
  }
  const PageCount kept = backing.pages.kept();
  require_equal((backing.pages.cache_.pages() + kept).count, cached.count,
                "K1 every cached span is in it or on a shelf", cached.count);
  std::uint64_t met = 0;
  PageCount in_use;
  for (PageIndex page; page < PageIndex{window.end().count};) {
    const PageEntry entry = window.entry(std::size_t{page.value} * kPageBytes);
    if (entry.code == kCodeNone) {
      page = page + PageCount{1};
      continue;
    }
    require_equal(entry.page_of_slab, 0, "spans do not overlap", page.value);
    const Span& span = window.span(window.span_id(page));
    require(span.kind != SpanKind::kFree && span.kind != SpanKind::kCached,
            "the page map names spans in use", page.value);
    require_equal(span.first.value, page.value, "a span begins where the page map says", met);
    for_each_extent({span.first, span.pages}, [&](std::uint32_t i, BitRun bits) {
      require_equal(window.extent(i).used.count_in(bits), bits.length, "a span's pages are used",
                    page.value);
    });
    ++met;
    in_use += span.pages;
    page = page + span.pages;
  }
  require_equal(met, spans_in_use, "every span in use is in the page map", met);
  require_equal(backing.pages.in_use_.count, (in_use + kept).count,
                "P1 in_use == pages of all spans", met);
}

void Checker::everything(Allocator& allocator) {
  Backing& backing = allocator.backing();
  if (!backing.window.placed()) return;
  pages(backing.pages);
  for (const SpanShelf& shelf : backing.pages.shelves()) span_shelf(shelf);
  spans(backing);
  PageCount unused;
  const auto look_at = [&](Heap& each) {
    heap(each, backing);
    for (const Bin& bin : each.bins_) unused += bin.unused_;
  };
  look_at(allocator.heap());
  allocator.heaps().for_each(look_at);
  require_equal(backing.pages.unused_in_slabs_.count, unused.count,
                "P3 unused_in_slabs == sum over bins", unused.count);
  std::array<std::uint64_t, kClassCount> cached{};
  for (const ThreadCache* each = allocator.caches_; each != nullptr; each = each->next) {
    cache(*each);
    for (std::uint32_t i = 1; i < kClassCount; ++i) {
      cached[i] += each->count(static_cast<ClassIndex>(i));
    }
  }
  for (std::uint32_t i = 1; i < kClassCount; ++i) {
    const Bin& bin = allocator.heap().bin(static_cast<ClassIndex>(i));
    require(cached[i] + bin.depot_count_ <= bin.blocks_out_, "B2 what is cached is out", i);
  }
}

}  // namespace mini::alloc
