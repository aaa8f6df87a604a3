// The library's own functions, but for those of heaps.
#include <cerrno>
#include <minimalloc/minimalloc.h>
#include <unistd.h>

#include "alloc/statistics.h"
#include "alloc/walk.h"
#include "api/export.h"
#include "api/heap_handle.h"
#include "api/options.h"
#include "api/process.h"
#include "api/report.h"
#include "api/version.h"
#include "api/versioned.h"

namespace {

namespace alloc = mini::alloc;
using alloc::g_allocator;
using alloc::kPageBytes;

minimalloc_stats stats_of(const alloc::Figures& figures) {
  minimalloc_stats out{};
  const alloc::ClassSums small = alloc::sum(figures.classes);
  out.used_pages_bytes = figures.used_pages * kPageBytes;
  out.free_pages_bytes = figures.free_pages * kPageBytes;
  out.resident_free_bytes = figures.resident_free_pages * kPageBytes;
  out.heap_bytes = out.used_pages_bytes + out.free_pages_bytes;
  out.tables_bytes = figures.tables_bytes;
  out.fixed_bytes = figures.pools.bytes;
  out.mapped_bytes = out.heap_bytes + out.tables_bytes + out.fixed_bytes;
  out.large_bytes = figures.large.pages * kPageBytes;
  out.large_count = figures.large.blocks;
  out.live_bytes = small.in_use_bytes + out.large_bytes + figures.pools.live_bytes;
  out.live_count = small.counts.in_use + out.large_count + figures.pools.live_blocks;
  out.cached_bytes = small.cached_bytes;
  out.cached_count = small.counts.cached;
  out.depot_bytes = small.depot_bytes;
  out.depot_count = small.counts.in_depots;
  out.slab_free_bytes = small.free_bytes;
  out.slab_free_count = small.counts.free;
  out.slab_rest_bytes = small.rest_bytes;
  out.fixed_rest_bytes = figures.pools.rest_bytes;
  out.slab_count = small.counts.slabs;
  out.heap_count = figures.heaps;
  out.thread_count = figures.threads;
  out.lost_count = figures.lost_blocks;
  return out;
}

constexpr minimalloc_block_state state_of(alloc::BlockState state) {
  switch (state) {
    case alloc::BlockState::kLive:
      return MINIMALLOC_BLOCK_LIVE;
    case alloc::BlockState::kCached:
      return MINIMALLOC_BLOCK_CACHED;
    case alloc::BlockState::kInDepot:
      return MINIMALLOC_BLOCK_IN_DEPOT;
    case alloc::BlockState::kFree:
      break;
  }
  return MINIMALLOC_BLOCK_FREE;
}

struct Walk {
  minimalloc_visitor visit;
  void* context;
  int result = 0;
};

bool show(const alloc::WalkedBlock& block, void* context) {
  Walk& walk = *static_cast<Walk*>(context);
  const minimalloc_block shown{.address = const_cast<void*>(block.address),
                               .usable_bytes = block.usable_bytes,
                               .state = state_of(block.state),
                               .heap_id = block.heap,
                               .size_class = block.size_class};
  walk.result = walk.visit(&shown, walk.context);
  return walk.result == 0;
}

}  // namespace

extern "C" {

MINIMALLOC_EXPORT const char* minimalloc_version() noexcept {
  return mini::api::kVersion;
}

MINIMALLOC_EXPORT size_t minimalloc_good_size(size_t size) noexcept {
  if (size <= alloc::kLargestSmall) return alloc::kSizeClasses[alloc::class_of(size)].block_bytes;
  return size > alloc::kLargestRequest ? 0 : alloc::pages_for(size).bytes();
}

MINIMALLOC_EXPORT int minimalloc_purge() noexcept {
  return g_allocator.trim() ? 1 : 0;
}

MINIMALLOC_EXPORT int minimalloc_stats_read(minimalloc_stats* out) noexcept {
  alloc::Figures figures;
  if (!alloc::read_figures(g_allocator, &figures)) return EAGAIN;
  return mini::api::copy_versioned(out, stats_of(figures));
}

MINIMALLOC_EXPORT void minimalloc_stats_print() noexcept {
  mini::api::write_report(STDERR_FILENO, "now");
}

MINIMALLOC_EXPORT int minimalloc_walk(const minimalloc_heap* heap, minimalloc_visitor visit,
                                      void* context) noexcept {
  Walk walk{.visit = visit, .context = context};
  const alloc::Heap* const one = heap == nullptr ? nullptr : &mini::api::heap_of(heap);
  switch (alloc::walk(g_allocator, one, show, &walk)) {
    case alloc::WalkEnd::kDone:
      return 0;
    case alloc::WalkEnd::kStopped:
      return walk.result;
    case alloc::WalkEnd::kNoMemory:
    case alloc::WalkEnd::kInside:
      break;
  }
  return -1;
}

MINIMALLOC_EXPORT int minimalloc_option_set(const char* name, const char* value) noexcept {
  const int result = mini::api::set_option(name, value);
  if (mini::api::stats_at_exit() != mini::api::StatsAtExit::kNo) mini::api::keep_report_file();
  return result;
}

MINIMALLOC_EXPORT int minimalloc_option_get(const char* name, char* value, size_t size) noexcept {
  return mini::api::get_option(name, value, size);
}

}  // extern "C"
