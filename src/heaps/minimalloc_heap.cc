#include "heaps/minimalloc_heap.h"

#include <algorithm>
#include <fmt/format.h>
#include <ranges>

#include "base/checked.h"
#include "heaps/minimalloc_decoder.h"

namespace mini::heaps {
namespace {

constexpr std::uint64_t kMostWindowBytes = std::uint64_t{1} << 44;
constexpr std::uint64_t kMostSpans = std::uint64_t{1} << 28;

void read_window(MinimallocDecoder& decoder) {
  const minimalloc_layout_table& table = decoder.table;
  const auto begin = decoder.variable<std::uint64_t>(table.heap_begin);
  const auto bytes = decoder.variable<std::uint64_t>(table.heap_bytes);
  if (begin == 0 || bytes == 0) return;
  const auto window = checked_range({begin}, {bytes});
  const std::uint64_t page_mask = (std::uint64_t{1} << table.page_shift) - 1;
  if (!window || bytes > kMostWindowBytes || (begin & page_mask) != 0 || (bytes & page_mask) != 0) {
    decoder.damages.add(address_of(table.heap_bytes), "length of the heap",
                        fmt::format("{:#x} from {:#x} on", bytes, begin),
                        "whole pages of the address space");
    return;
  }
  decoder.window = *window;
  decoder.page_count = bytes >> table.page_shift;
  decoder.page_map = {decoder.variable<std::uint64_t>(table.page_map)};
  decoder.span_ids = {decoder.variable<std::uint64_t>(table.span_ids)};
  decoder.spans = {decoder.variable<std::uint64_t>(table.spans)};
  decoder.extents = {decoder.variable<std::uint64_t>(table.extents)};
  decoder.span_end = decoder.variable<std::uint32_t>(table.span_end);
  if (decoder.span_end > kMostSpans) {
    decoder.damages.add(address_of(table.span_end), "number of spans",
                        fmt::format("{}", decoder.span_end), fmt::format("at most {}", kMostSpans));
    decoder.span_end = kMostSpans;
  }
}

void read_classes(MinimallocDecoder& decoder) {
  const minimalloc_layout_table& table = decoder.table;
  constexpr std::uint32_t kMostBlockBytes = 1 << 24;
  decoder.class_bytes.assign(table.class_count, 0);
  for (std::uint32_t i = 1; i < table.class_count; ++i) {
    const Address at =
        address_of(table.class_block_bytes) + Bytes{std::uint64_t{i} * table.class_stride};
    const auto bytes = decoder.pages.read_object<std::uint32_t>(at);
    if (bytes && *bytes != 0 && *bytes % 16 == 0 && *bytes <= kMostBlockBytes) {
      decoder.class_bytes[i] = *bytes;
      continue;
    }
    decoder.damages.add(at, fmt::format("block size of class {}", i),
                        bytes ? fmt::format("{}", *bytes) : "unreadable", "a multiple of 16");
  }
}

class NoSink final : public model::PieceSink {
  void begin_region(const model::HeapRegion& /*region*/) override {}
  void piece(const model::HeapPiece& /*piece*/) override {}
  void end_region() override {}
};

void read_tables(MinimallocDecoder& decoder) {
  read_window(decoder);
  read_classes(decoder);
  read_shelves(decoder);
  read_heaps(decoder);
  read_lists(decoder);
  if (!decoder.target.is_still) read_lists(decoder);
  finish_lists(decoder);
}

/// The program's own heaps have their pages; malloc's has all the rest.
void count_system(model::Heap& heap) {
  Bytes rest;
  for (const AddressRange& region : heap.arenas[0].regions) rest += region.size();
  for (const model::HeapArena& arena : heap.arenas | std::views::drop(1)) {
    rest -= std::min(rest, arena.system);
  }
  heap.arenas[0].system = rest;
  heap.arenas[0].most_system = rest;
}

void compare_counters(MinimallocDecoder& decoder) {
  const SpanCounts& counted = decoder.counted;
  const SpanCounts& found = decoder.found;
  const auto add = [&](const char* name, std::uint64_t expected, std::uint64_t was_found) {
    decoder.heap.counters.push_back({.name = name, .counted = expected, .found = was_found});
  };
  add("slabs", counted.slabs, found.slabs);
  add("pages of slabs", counted.slab_pages, found.slab_pages);
  add("blocks of slabs", counted.blocks, found.blocks);
  add("blocks that are not free in their slabs", counted.blocks_out, found.blocks_out);
  add("large blocks", counted.large_blocks, found.large_blocks);
  add("pages of large blocks", counted.large_pages, found.large_pages);
  add("pages in use", decoder.variable<std::uint32_t>(decoder.table.used_pages),
      found.slab_pages + found.large_pages + decoder.shelves.pages);
  if (decoder.table.cached_pages != nullptr) {  // null before version 1.1
    add("pages of large blocks that are kept for the next",
        decoder.variable<std::uint32_t>(decoder.table.cached_pages) + decoder.shelves.pages,
        found.cached_pages);
  }
}

}  // namespace

MinimallocDecoder::MinimallocDecoder(const MemoryReader& reader, const MinimallocTarget& the_target,
                                     model::Heap& the_heap)
    : memory(reader),
      pages(reader),
      target(the_target),
      table(the_target.layout.table),
      heap(the_heap),
      damages(the_heap) {}

bool has_minimalloc_heap(const MemoryReader& memory, const MinimallocLayout& layout) {
  const minimalloc_layout_table& table = layout.table;
  const auto begin = memory.read_object<std::uint64_t>(address_of(table.heap_begin));
  if (begin && *begin != 0) return true;
  for (std::uint32_t i = 0; i < table.pool_count; ++i) {
    const Address pool = address_of(table.pools[i]);
    const auto at = memory.read_object<std::uint64_t>(pool + Bytes{table.pool.memory});
    if (!at) continue;
    const auto first = memory.read_object<std::uint64_t>(Address{*at} + Bytes{8});
    if (first && *first != 0) return true;
  }
  return false;
}

model::Heap read_minimalloc_heap(const MemoryReader& memory, const MinimallocTarget& target,
                                 model::PieceSink& sink) {
  model::Heap heap;
  heap.allocator = "libminimalloc";
  heap.version = target.layout.version();
  heap.found_by = "note";
  MinimallocDecoder decoder(memory, target, heap);
  read_tables(decoder);
  walk_pages(decoder, sink);
  walk_pools(decoder, sink);
  walk_tables(decoder, sink);
  std::ranges::sort(heap.arenas[0].regions, {}, &AddressRange::begin);
  count_system(heap);
  for (const auto& [key, bin] : decoder.bins) heap.bins.push_back(bin);
  compare_counters(decoder);
  return heap;
}

void survey_minimalloc_heap(const MemoryReader& memory, const MinimallocTarget& target) {
  model::Heap heap;
  NoSink sink;
  MinimallocDecoder decoder(memory, target, heap);
  read_tables(decoder);
  survey_pages(decoder);
  walk_pools(decoder, sink);
  compare_counters(decoder);
}

}  // namespace mini::heaps
