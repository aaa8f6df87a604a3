// A slab of which most blocks are free has pages that no block in use touches. Their memory is
// given back; the slab stays as it is: docs/decisions/0023.
#include <array>

#include "alloc/bin.h"

namespace mini::alloc {
namespace {

constexpr std::uint32_t kMovedToLook = 32;  // blocks of a bin that come or go between two looks

// Calls apply(run) for the pages of a slab that no block in use touches.
template <typename Apply>
void for_each_free_run(const Span& slab, Apply&& apply) {
  const std::uint32_t block_bytes = slab.block_bytes();
  BitRun run = slab.free.next_set_run(0);
  while (run.length != 0) {
    const std::uint32_t end = run.begin + run.length;
    const std::size_t end_bytes =
        end == slab.block_count ? slab.pages.bytes() : std::size_t{end} * block_bytes;
    const PageCount first = pages_for(std::size_t{run.begin} * block_bytes);
    const PageCount last{static_cast<std::uint32_t>(end_bytes / kPageBytes)};
    if (first < last) apply(PageRun{slab.first + first, last - first});
    run = slab.free.next_set_run(end);
  }
}

// Runs of pages on their way back to the kernel, many by one call.
class Returned {
 public:
  explicit Returned(PageHeap& pages) : pages_(pages) {}
  Returned(const Returned&) = delete;
  Returned& operator=(const Returned&) = delete;
  ~Returned() { flush(); }

  void add(PageRun run) {
    if (count_ == runs_.size()) flush();
    runs_[count_++] = run;
  }
  PageCount flush() {
    released_ += pages_.release_in_use(runs_.data(), count_);
    count_ = 0;
    return released_;
  }

 private:
  PageHeap& pages_;
  std::array<PageRun, Residency::kMostRuns> runs_;
  std::uint32_t count_ = 0;
  PageCount released_;
};

}  // namespace

// Pages of the slabs that no block in use touches: as many as there would be if chance had freed
// the blocks. None while more than a third of them is out.
PageCount Bin::likely_unused(std::uint32_t block_bytes) const {
  if (blocks_out_ >= blocks_ / 3) return {};
  constexpr std::uint32_t kPage = kPageBytes;
  const std::uint64_t free_256ths = (blocks_ - blocks_out_) * 256 / blocks_;
  // Where they do not fit it exactly, one lies across its end.
  const std::uint32_t blocks_of_a_page =
      (kPage + block_bytes - 1) / block_bytes + (kPage % block_bytes != 0 ? 1U : 0U);
  std::uint64_t unused = std::uint64_t{pages_.count} << 8;
  for (std::uint32_t i = 0; i < blocks_of_a_page && unused != 0; ++i) {
    unused = unused * free_256ths / 256;
  }
  return {static_cast<std::uint32_t>(unused >> 8)};
}

// Now and then, as blocks come and go, the page heap is told of such pages. True where they shall
// be given back.
bool Bin::sweep_is_due(std::uint32_t moved, const Place& place) {
  moved_ += moved;
  if (moved_ < kMovedToLook) return false;
  moved_ = 0;
  const PageCount before = unused_;
  unused_ = likely_unused(kSizeClasses[place.size_class].block_bytes);
  const bool none = before.count == 0 && unused_.count == 0;
  return !none && place.backing.pages.sweep_pays(before, unused_) && unused_.count != 0;
}

// Gives back pages of the slabs that were freed of most of their blocks, of the last ones first.
// Each is looked at once, until blocks of it are taken again.
void Bin::sweep(const Place& place) {
  Returned returned(place.backing.pages);
  constexpr std::uint32_t kEmptiest = kFullnesses - 1;
  for (std::uint32_t i = 0; i < Residency::kMostRuns; ++i) {
    Span* const slab = lists_[kEmptiest].front();
    if (slab == nullptr) return;
    for_each_free_run(*slab, [&](PageRun run) { returned.add(run); });
    slab->swept = 1;
    move_to_list(*slab, kEmptiest);
  }
}

PageCount Bin::release_free_pages(const Place& place) {
  const Locked locked(lock_);
  Returned returned(place.backing.pages);
  for (std::uint32_t i = 1; i < kLists; ++i) {
    for (Span* slab = lists_[i].front(); slab != nullptr;) {
      Span* const next = slab->next;
      bool any = false;
      for_each_free_run(*slab, [&](PageRun run) {
        returned.add(run);
        any = true;
      });
      if (any && i != kSwept) {
        slab->swept = 1;
        move_to_list(*slab, i);
      }
      slab = next;
    }
  }
  return returned.flush();
}

}  // namespace mini::alloc
