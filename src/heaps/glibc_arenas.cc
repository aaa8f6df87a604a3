// Sources: malloc/malloc.c ("malloc_state", "sysmalloc") and malloc/arena.c ("heap_info",
// "_int_new_arena"), glibc 2.27 to 2.43.
#include "heaps/glibc_arenas.h"

#include <cstddef>
#include <set>
#include <string_view>

#include "base/checked.h"
#include "base/text.h"
#include "heaps/glibc_pieces.h"

namespace mini::heaps {
namespace {

using model::HeapArena;

constexpr std::size_t kMostRegions = 1 << 16;  // of one arena: 4 TiB of thread arenas' size

/// "heap_info", whose size differs but whose beginning does not.
struct RegionHeader {
  std::uint64_t arena;
  std::uint64_t previous;
  std::uint64_t size;
};

Address align_up(Address address, std::uint64_t alignment) {
  return {(address.value + alignment - 1) & ~(alignment - 1)};
}

std::optional<HeapArena> read_arena(GlibcDecoder& decoder, Address at) {
  const GlibcLayout& layout = decoder.layout;
  const auto word = [&](std::size_t offset) {
    return decoder.memory.read_object<std::uint64_t>(at + Bytes{offset});
  };
  const auto lock = decoder.memory.read_object<std::uint32_t>(at);  // "mutex", free at 0
  const auto flags = decoder.memory.read_object<std::uint32_t>(at + Bytes{kFlagsOffset});
  const auto top = word(layout.top);
  const auto system = word(layout.system_mem);
  const auto most_system = word(layout.max_system_mem);
  if (!lock || !flags || !top || !system || !most_system) return std::nullopt;
  HeapArena arena;
  arena.address = at;
  arena.is_locked = *lock != 0;
  arena.is_contiguous = (*flags & kNonContiguousFlag) == 0;
  arena.system = Bytes{*system};
  arena.most_system = Bytes{*most_system};
  arena.attached_threads = word(layout.next + 16);  // behind next and next_free
  if (const auto remainder = word(layout.top + 8); remainder && *remainder != 0) {
    arena.last_remainder = Address{*remainder};
  }
  // An arena without memory has its first bin for its top.
  if (*top != 0 && Address{*top} != at + Bytes{layout.bins - 16}) arena.top = Address{*top};
  return arena;
}

/// Where the top chunk ends as its size says; nullopt where it cannot: "sysmalloc" asserts that it
/// ends with a page.
std::optional<Address> end_of_top(const GlibcDecoder& decoder, Address top) {
  const auto header = decoder.header_at(top);
  if (!header || !header->previous_in_use() || header->size() < model::kSmallestChunk) return {};
  const auto range = checked_range(top, header->size());
  const bool is_whole = range && range->end.value % decoder.page_size.count == 0;
  return is_whole ? std::optional(range->end) : std::nullopt;
}

/// The size of the top chunk where it can be believed: it ends where memory does, or, `is_exact`
/// not being, before.
void read_top(GlibcDecoder& decoder, HeapArena& arena, std::optional<Address> end, bool is_exact) {
  if (!arena.top) return;
  const auto header = decoder.header_at(*arena.top);
  const Address field = *arena.top + Bytes{8};
  if (!is_chunk_aligned(*arena.top) || !header) {
    decoder.damages.add(arena.address + Bytes{decoder.layout.top}, "top of the arena",
                        format_address(*arena.top), "the address of a chunk");
    arena.top.reset();
    return;
  }
  const auto own_end = end_of_top(decoder, *arena.top);
  if (own_end && (!end || (is_exact ? *own_end == *end : *own_end <= *end))) {
    arena.top_size = header->size();
    return;
  }
  const Bytes rest = end && *end > *arena.top ? *end - *arena.top : Bytes{};
  const std::string_view up_to = is_exact ? "" : ", or less by whole pages";
  decoder.damages.add(field, "size of the top chunk", fmt::format("{:#x}", header->size_field),
                      end ? fmt::format("{:#x}{}", rest.count | 1, up_to)
                          : "a size with flag 1 that ends with a page",
                      model::DamageKind::kField, end && header->size_field == 0);
  arena.top_size = rest;
}

/// The main arena: from the first break on up to the end of the top chunk; where the break could
/// not be moved, several pieces.
void find_main_regions(GlibcDecoder& decoder, HeapArena& arena, Address sbrk_base,
                       std::span<const AddressRange> writable) {
  if (!arena.top) return;
  const AddressRange* top_mapping = range_of(writable, *arena.top);
  read_top(decoder, arena, top_mapping ? std::optional(top_mapping->end) : std::nullopt, false);
  if (!arena.top || !top_mapping) return;
  const Address base = align_up(sbrk_base, model::kChunkAlignment.count);
  const Address end = *arena.top + arena.top_size;
  if (!arena.is_contiguous) return find_pieces(decoder, arena, base, writable, end);
  const AddressRange* base_mapping = range_of(writable, sbrk_base);
  if (base_mapping == nullptr || base >= base_mapping->end) {
    arena.regions.push_back({top_mapping->begin, end});
  } else if (base_mapping == top_mapping && base <= *arena.top) {
    arena.regions.push_back({base, end});
  } else {
    arena.regions.push_back({base, base_mapping->end});
    arena.regions.push_back({top_mapping->begin, end});
  }
}

Bytes region_alignment(const GlibcDecoder& decoder, Address parameters) {
  if (decoder.layout.hp_pagesize == 0) return model::kArenaHeap;
  const auto huge =
      decoder.memory.read_object<std::uint64_t>(parameters + Bytes{decoder.layout.hp_pagesize});
  constexpr std::uint64_t kPagesOfRegion = 4;  // "heap_max_size"
  const bool sound = huge && *huge != 0 && (*huge & (*huge - 1)) == 0 && *huge <= kGiB.count * 16;
  return sound ? Bytes{*huge * kPagesOfRegion} : model::kArenaHeap;
}

/// The top of a thread's arena ends where its region does. Where they disagree, malloc's count of
/// the arena's memory says which is right; `region` is the top's.
void read_thread_top(GlibcDecoder& decoder, HeapArena& arena, AddressRange& region,
                     Bytes alignment) {
  if (!arena.top) return;
  Bytes sum;
  for (const AddressRange& one : arena.regions) sum += one.size();
  const auto end = end_of_top(decoder, *arena.top);
  const bool is_in_reach = end && *end <= region.begin + alignment && *end > region.begin;
  if (is_in_reach && *end != region.end && sum != arena.system) {
    decoder.damages.add(
        region.begin + Bytes{offsetof(RegionHeader, size)}, "size of an arena's region",
        fmt::format("{:#x}", region.size().count),
        fmt::format("{:#x}, where the top chunk ends", (*end - region.begin).count));
    region.end = *end;
  }
  read_top(decoder, arena, region.end, true);
}

/// A thread's arena: the region that the top is in, and those that its header leads back to.
void find_thread_regions(GlibcDecoder& decoder, HeapArena& arena, Bytes alignment) {
  if (!arena.top) return;
  Address at{arena.top->value & ~(alignment.count - 1)};
  std::set<Address> seen;
  for (std::size_t i = 0; at != Address{}; ++i) {
    const auto header = decoder.memory.read_object<RegionHeader>(at);
    const auto region = header ? checked_range(at, Bytes{header->size}) : std::nullopt;
    const bool sound =
        region && Address{header->arena} == arena.address && header->size <= alignment.count &&
        header->size > decoder.caches.region_header && seen.insert(at).second && i < kMostRegions;
    if (!sound) {
      decoder.damages.add(at, "header of an arena's region",
                          header ? format_address(Address{header->arena}) : "unreadable memory",
                          fmt::format("the arena {}", format_address(arena.address)));
      break;
    }
    arena.regions.push_back(*region);
    at = Address{header->previous & ~(alignment.count - 1)};
  }
  if (!arena.regions.empty()) read_thread_top(decoder, arena, arena.regions.front(), alignment);
  std::ranges::reverse(arena.regions);  // the oldest first
}

/// Mappings that touch as one: the kernel may have the heap in pieces, as after a fork.
std::vector<AddressRange> joined(std::span<const AddressRange> mappings) {
  std::vector<AddressRange> result;
  for (const AddressRange& mapping : mappings) {
    if (!result.empty() && result.back().end == mapping.begin) {
      result.back().end = mapping.end;
    } else {
      result.push_back(mapping);
    }
  }
  return result;
}

void read_ring(GlibcDecoder& decoder, const GlibcMalloc& malloc,
               std::span<const AddressRange> writable) {
  const auto sbrk_base = decoder.pointer_at(malloc.mp + Bytes{decoder.layout.sbrk_base});
  const Bytes alignment = region_alignment(decoder, malloc.mp);
  std::set<Address> seen;
  Address at = malloc.main_arena;
  while (seen.insert(at).second) {
    auto arena = read_arena(decoder, at);
    if (!arena || seen.size() > kMostArenas) {
      decoder.damages.add(at, "arena in the ring", format_address(at), "an arena");
      return;
    }
    arena->is_main = at == malloc.main_arena;
    if (arena->is_main) {
      find_main_regions(decoder, *arena, sbrk_base.value_or(Address{}), writable);
    } else {
      find_thread_regions(decoder, *arena, alignment);
    }
    decoder.heap.arenas.push_back(std::move(*arena));
    const Address link = at + Bytes{decoder.layout.next};
    const auto next = decoder.pointer_at(link);
    if (!next) return;
    at = *next;
  }
  if (at != malloc.main_arena) {
    decoder.damages.add(at, "ring of arenas", format_address(at),
                        fmt::format("the main arena {}", format_address(malloc.main_arena)));
  }
}

}  // namespace

void read_arenas(GlibcDecoder& decoder, const GlibcMalloc& malloc,
                 std::span<const AddressRange> writable) {
  const std::vector<AddressRange> mappings = joined(writable);
  read_ring(decoder, malloc, mappings);
  for (std::uint32_t i = 0; i < decoder.heap.arenas.size(); ++i) {
    for (const AddressRange& region : decoder.heap.arenas[i].regions) {
      decoder.regions.push_back({region, i});
    }
  }
  std::ranges::sort(decoder.regions, {},
                    [](const model::HeapRegion& region) { return region.range.begin; });
  const bool is_complete =
      decoder.heap.arenas.empty() || decoder.heap.arenas.front().not_found == Bytes{};
  if (!is_complete) decoder.elsewhere = mappings;
}

Address first_chunk(const GlibcDecoder& decoder, const HeapArena& arena, AddressRange region) {
  if (arena.is_main) return region.begin;
  Address after_headers = region.begin + Bytes{decoder.caches.region_header};
  // "_int_new_arena" puts the arena itself into its first region.
  if (arena.address == after_headers)
    after_headers = after_headers + Bytes{decoder.layout.state_size};
  return std::min(align_up(after_headers, model::kChunkAlignment.count), region.end);
}

}  // namespace mini::heaps
