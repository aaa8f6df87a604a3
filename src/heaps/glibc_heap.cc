#include "heaps/glibc_heap.h"

#include <algorithm>
#include <cstdint>
#include <optional>
#include <utility>

#include "base/memory_reader.h"
#include "heaps/glibc_arenas.h"
#include "heaps/glibc_lists.h"
#include "heaps/glibc_walk.h"
#include "heaps/page_cache.h"

namespace mini::heaps {
namespace {

model::HeapParameters read_parameters(const MemoryReader& memory, Address at,
                                      const GlibcLayout& layout) {
  const auto word = [&](std::size_t offset) {
    return memory.read_object<std::uint64_t>(at + Bytes{offset}).value_or(0);
  };
  const auto integer = [&](std::size_t offset) {
    return memory.read_object<std::uint32_t>(at + Bytes{offset}).value_or(0);
  };
  model::HeapParameters parameters;
  parameters.trim_threshold = Bytes{word(0)};
  parameters.top_pad = Bytes{word(8)};
  parameters.mmap_threshold = Bytes{word(16)};
  parameters.thresholds_are_fixed = integer(layout.no_dyn_threshold) != 0;
  parameters.cache_count = word(layout.tcache_bins + 16);
  parameters.mmapped_count = integer(layout.n_mmaps);
  parameters.mmapped = Bytes{word(layout.mmapped_mem)};
  parameters.most_mmapped = Bytes{word(layout.max_mmapped_mem)};
  return parameters;
}

/// Where no banner told the version: until 2.41 the first chunk of a heap is a cache, and its size
/// says which kind.
const GlibcCacheLayout& find_cache_layout(const MemoryReader& memory, const GlibcMalloc& malloc,
                                          const GlibcLayout& layout) {
  if (!malloc.version.empty()) return cache_layout(layout, malloc.version);
  const auto base = memory.read_object<std::uint64_t>(malloc.mp + Bytes{layout.sbrk_base});
  const auto first =
      base ? memory.read_object<ChunkHeader>(Address{(*base + 15) & ~std::uint64_t{15}})
           : std::nullopt;
  for (int minor = layout.first_minor; first && minor <= layout.last_minor; ++minor) {
    const GlibcCacheLayout& row = cache_layout(layout, fmt::format("2.{}", minor));
    if (first->size() == Bytes{row.chunk_size}) return row;
  }
  return cache_layout(layout, "");
}

/// For walks whose pieces nobody wants.
class NoSink final : public model::PieceSink {
 public:
  void begin_region(const model::HeapRegion&) override {}
  void piece(const model::HeapPiece&) override {}
  void end_region() override {}
};

GlibcDecoder make_decoder(const PageCache& pages, const GlibcTarget& target, model::Heap& heap) {
  const GlibcMalloc& malloc = target.malloc;
  const GlibcLayout& layout = glibc_layouts()[static_cast<std::size_t>(malloc.layout)];
  heap.allocator = "glibc";
  heap.version = malloc.version;
  heap.parameters = read_parameters(pages, malloc.mp, layout);
  return {.memory = pages,
          .layout = layout,
          .caches = find_cache_layout(pages, malloc, layout),
          .page_size = target.page_size,
          .heap = heap,
          .damages = DamageLog(heap)};
}

}  // namespace

std::vector<AddressRange> survey_glibc_heap(const MemoryReader& memory, const GlibcTarget& target) {
  const PageCache pages(memory);
  model::Heap heap;
  GlibcDecoder decoder = make_decoder(pages, target, heap);
  read_arenas(decoder, target.malloc, target.writable);
  find_caches(decoder, target.threads);
  NoSink sink;
  walk_mmapped(decoder, memory, target.writable, sink);
  std::vector<AddressRange> ranges;
  for (const model::HeapRegion& region : decoder.regions) {
    const auto top = heap.arenas[region.arena].top;
    AddressRange range = region.range;
    if (!ranges.empty()) range.begin = std::max(range.begin, ranges.back().end);
    if (top && region.range.contains(*top)) {
      range.end = std::min(range.end, *top + target.page_size);
    }
    if (range.begin < range.end) ranges.push_back(range);
  }
  return ranges;
}

model::Heap read_glibc_heap(const MemoryReader& memory, const GlibcTarget& target,
                            model::PieceSink& sink) {
  const PageCache pages(memory);
  model::Heap heap;
  GlibcDecoder decoder = make_decoder(pages, target, heap);
  read_arenas(decoder, target.malloc, target.writable);
  read_bins(decoder);
  read_caches(decoder, target.threads);
  for (std::uint32_t i = 0; i < heap.arenas.size(); ++i) {
    for (const AddressRange& region : heap.arenas[i].regions) {
      walk_region(decoder, memory, {region, i}, sink);
    }
  }
  walk_mmapped(decoder, memory, target.writable, sink);
  std::ranges::stable_sort(heap.damages, {}, [](const model::HeapDamage& damage) {
    return std::pair(damage.kind, damage.where);  // who writes too far begins at the lowest
  });
  return heap;
}

}  // namespace mini::heaps
