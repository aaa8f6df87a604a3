#include "heaps/glibc_layout.h"

#include <array>
#include <charconv>

namespace mini::heaps {
namespace {

// Sources: malloc/malloc.c and malloc/arena.c of the versions named. 2.36's offsets were compared
// with its debug information (Debian 2.36-9); the others follow from the declarations.
constexpr std::array<GlibcLayout, 3> kLayouts = {{
    // No have_fastchunks yet: the fast bins follow the flags at once.
    {.first_minor = 26,
     .last_minor = 26,
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
     .par_size = 0x70},
    {.first_minor = 27,
     .last_minor = 34,
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
     .par_size = 0x70},
    // Three fields for huge pages (thp_pagesize, hp_pagesize, hp_flags) stand before n_mmaps.
    {.first_minor = 35,
     .last_minor = 42,
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
     .par_size = 0x88},
}};

}  // namespace

std::span<const GlibcLayout> glibc_layouts() {
  return kLayouts;
}

bool layout_covers(const GlibcLayout& layout, std::string_view version) {
  if (version.empty()) return true;
  constexpr std::string_view kMajor = "2.";
  if (!version.starts_with(kMajor)) return false;
  version.remove_prefix(kMajor.size());
  int minor = 0;
  const auto [end, error] = std::from_chars(version.data(), version.data() + version.size(), minor);
  if (error != std::errc() || end == version.data()) return false;
  return layout.first_minor <= minor && minor <= layout.last_minor;
}

}  // namespace mini::heaps
