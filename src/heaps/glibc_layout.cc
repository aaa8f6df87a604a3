#include "heaps/glibc_layout.h"

#include <algorithm>
#include <array>

#include "model/malloc_versions.h"

namespace mini::heaps {
namespace {

// Sources: malloc/malloc.c and malloc/arena.c of the versions named. 2.36's offsets were compared
// with its debug information (Debian 2.36-9); the others follow from the declarations.
constexpr std::array<GlibcLayout, 4> kLayouts = {{
    // No have_fastchunks yet: the fast bins follow the flags at once.
    {.first_minor = 26,
     .last_minor = 26,
     .fastbins = 10,
     .top = 88,
     .bins = 104,
     .next = 0x868,
     .system_mem = 0x880,
     .max_system_mem = 0x888,
     .state_size = 0x890,
     .no_dyn_threshold = 52,
     .n_mmaps = 40,
     .mmapped_mem = 56,
     .max_mmapped_mem = 64,
     .sbrk_base = 72,
     .tcache_bins = 80,
     .tcache_max_is_chunk = false,
     .par_size = 0x70,
     .hp_pagesize = 0},
    {.first_minor = 27,
     .last_minor = 34,
     .fastbins = 10,
     .top = 96,
     .bins = 112,
     .next = 0x870,
     .system_mem = 0x888,
     .max_system_mem = 0x890,
     .state_size = 0x898,
     .no_dyn_threshold = 52,
     .n_mmaps = 40,
     .mmapped_mem = 56,
     .max_mmapped_mem = 64,
     .sbrk_base = 72,
     .tcache_bins = 80,
     .tcache_max_is_chunk = false,
     .par_size = 0x70,
     .hp_pagesize = 0},
    // Three fields for huge pages (thp_pagesize, hp_pagesize, hp_flags) stand before n_mmaps.
    {.first_minor = 35,
     .last_minor = 42,
     .fastbins = 10,
     .top = 96,
     .bins = 112,
     .next = 0x870,
     .system_mem = 0x888,
     .max_system_mem = 0x890,
     .state_size = 0x898,
     .no_dyn_threshold = 72,
     .n_mmaps = 60,
     .mmapped_mem = 80,
     .max_mmapped_mem = 88,
     .sbrk_base = 96,
     .tcache_bins = 104,
     .tcache_max_is_chunk = false,
     .par_size = 0x88,
     .hp_pagesize = 48},
    // Without fast bins, and with thp_mode before thp_pagesize.
    {.first_minor = 43,
     .last_minor = 43,
     .fastbins = 0,
     .top = 8,
     .bins = 24,
     .next = 0x818,
     .system_mem = 0x830,
     .max_system_mem = 0x838,
     .state_size = 0x840,
     .no_dyn_threshold = 80,
     .n_mmaps = 68,
     .mmapped_mem = 88,
     .max_mmapped_mem = 96,
     .sbrk_base = 104,
     .tcache_bins = 112,
     .tcache_max_is_chunk = true,
     .par_size = 0x88,
     .hp_pagesize = 56},
}};

static_assert(std::ranges::max(kLayouts, {}, &GlibcLayout::state_size).state_size ==
              kLargestState.count);

// Sources: malloc/malloc.c ("tcache_perthread_struct", "PROTECT_PTR") and malloc/arena.c
// ("heap_info"). The row of 2.36 was compared with a running process.
constexpr std::array<GlibcCacheLayout, 6> kCacheLayouts = {{
    // from, to, bins, counter, down, chunk, safe links, region header
    {26, 29, 64, 1, false, 0x250, false, 0x20},
    {30, 31, 64, 2, false, 0x290, false, 0x20},
    {32, 34, 64, 2, false, 0x290, true, 0x20},
    {35, 41, 64, 2, false, 0x290, true, 0x30},
    {42, 42, 76, 2, true, 0x300, true, 0x30},
    {43, 43, 76, 2, true, 0x300, true, 0x30},
}};

}  // namespace

std::span<const GlibcLayout> glibc_layouts() {
  return kLayouts;
}

bool layout_covers(const GlibcLayout& layout, std::string_view version) {
  if (version.empty()) return true;
  const auto minor = model::glibc_minor(version);
  return minor && layout.first_minor <= *minor && *minor <= layout.last_minor;
}

const GlibcCacheLayout& cache_layout(const GlibcLayout& layout, std::string_view version) {
  const int minor = model::glibc_minor(version).value_or(layout.last_minor);
  for (const GlibcCacheLayout& row : kCacheLayouts) {
    if (row.first_minor <= minor && minor <= row.last_minor) return row;
  }
  return kCacheLayouts.back();
}

}  // namespace mini::heaps
