// Where the fields of glibc's malloc_state and malloc_par are, by version. All of it is the same on
// every 64-bit processor that glibc aligns blocks to 16 bytes on: x86-64, aarch64.
#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "base/units.h"

namespace mini::heaps {

/// Offsets of malloc_state ("main_arena") and of malloc_par ("mp_"). The lock is at 0 and the flags
/// at 4 of malloc_state; trim_threshold, top_pad and mmap_threshold are at 0, 8 and 16 of
/// malloc_par in every version.
struct GlibcLayout {
  int first_minor;  // glibc 2.first_minor … 2.last_minor
  int last_minor;
  // malloc_state
  std::size_t fastbins;  // how many pointers to them stand right before `top`
  std::size_t top;
  std::size_t bins;  // kBinsCount pairs of pointers
  std::size_t next;
  std::size_t system_mem;
  std::size_t max_system_mem;
  std::size_t state_size;
  // malloc_par
  std::size_t no_dyn_threshold;  // an int; four ints in all before it start at n_mmaps
  std::size_t n_mmaps;
  std::size_t mmapped_mem;
  std::size_t max_mmapped_mem;
  std::size_t sbrk_base;
  std::size_t tcache_bins;   // then tcache_max_bytes, tcache_count
  bool tcache_max_is_chunk;  // tcache_max_bytes is of a chunk, plus 1; else of a request
  std::size_t par_size;
  std::size_t
      hp_pagesize;  // size of the huge pages that arenas are made of; 0: there is no such field
};

/// What changed at other versions than the layouts did: the thread cache
/// ("tcache_perthread_struct": `bins` counts, then as many pointers), links, the header of an
/// arena's region ("heap_info").
struct GlibcCacheLayout {
  int first_minor;
  int last_minor;
  std::size_t bins;
  std::size_t count_bytes;    // of one counter
  bool counts_down;           // a counter says how many more fit, not how many there are
  std::size_t chunk_size;     // of the chunk that a cache lies in
  bool safe_linking;          // links of caches and fast bins are mixed with their own address
  std::size_t region_header;  // sizeof(heap_info)
};

inline constexpr Bytes kLargestState{0x898};    // of all layouts
inline constexpr std::size_t kBinsCount = 127;  // bin_at(1) … bin_at(127)
inline constexpr std::size_t kFlagsOffset = 4;
inline constexpr std::uint32_t kNonContiguousFlag = 2;
/// Of a ring followed: malloc's own limit is 8 for a processor, or what its user sets.
inline constexpr std::size_t kMostArenas = 1 << 16;

std::span<const GlibcLayout> glibc_layouts();

/// The row of `version` where that is known; else the newest that goes with the layout.
const GlibcCacheLayout& cache_layout(const GlibcLayout& layout, std::string_view version);

/// Whether the layout is that of `version` ("2.36"); true for "", which says nothing.
bool layout_covers(const GlibcLayout& layout, std::string_view version);

}  // namespace mini::heaps
