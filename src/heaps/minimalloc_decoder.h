// What the parts of libminimalloc's decoder share: the state as the library's variables have it,
// bounded by what can be true.
#pragma once

#include <cstring>
#include <map>
#include <span>
#include <tuple>
#include <vector>

#include "heaps/damage_log.h"
#include "heaps/minimalloc_heap.h"
#include "heaps/page_cache.h"

namespace mini::heaps {

/// A field of a record that was copied.
template <typename T>
T field_of(std::span<const std::byte> record, std::uint64_t offset) {
  T value;
  std::memcpy(&value, record.data() + offset, sizeof value);
  return value;
}

/// A block that a thread's cache or a depot has.
struct ListedBlock {
  static constexpr std::uint32_t kDepot = UINT32_MAX;

  Address block;
  std::uint32_t cache = kDepot;  // index into Heap::caches
  bool found = false;            // begins a block of a slab
};

/// What the library counts, and what was found.
struct SpanCounts {
  std::uint64_t slabs = 0;
  std::uint64_t slab_pages = 0;
  std::uint64_t blocks = 0;
  std::uint64_t blocks_out = 0;
  std::uint64_t large_blocks = 0;
  std::uint64_t large_pages = 0;
  std::uint64_t cached_pages = 0;  // of large blocks that were freed and kept whole
};

/// What shelves have of the counts of malloc's heap.
struct ShelfCounts {
  std::uint64_t taken_blocks = 0;  // modulo 2^64
  std::uint32_t taken_pages = 0;   // modulo 2^32
  std::uint64_t pages = 0;         // that lie there
};

struct MinimallocDecoder {
  MinimallocDecoder(const MemoryReader& reader, const MinimallocTarget& the_target,
                    model::Heap& the_heap);

  const MemoryReader& memory;
  PageCache pages;  // for tables, which are read once
  const MinimallocTarget& target;
  const minimalloc_layout_table& table;
  model::Heap& heap;
  DamageLog damages;

  AddressRange window;           // the heap's addresses, gaps included; empty: none yet
  std::uint64_t page_count = 0;  // of the window
  Address page_map;
  Address span_ids;
  Address spans;
  Address extents;
  std::uint64_t span_end = 0;
  std::vector<std::uint32_t> class_bytes;  // by size class; 0: none, or one that cannot be

  std::map<std::uint32_t, std::uint32_t> arena_of_heap;  // by the heap's number
  std::vector<ListedBlock> listed;                       // by address once finished
  std::vector<AddressRange> pools;                       // that have blocks
  ShelfCounts shelves;
  SpanCounts counted;
  SpanCounts found;
  /// (use, arena, cache, class) → the bin, its pieces and size.
  std::map<std::tuple<model::PieceUse, std::uint32_t, std::uint32_t, std::uint32_t>, model::HeapBin>
      bins;

  /// A variable of the library's.
  template <typename T>
  T variable(minimalloc_address at) const {
    return memory.read_object<T>(address_of(at)).value_or(T{});
  }
  /// All of the first heap: those of others are within it.
  void begin_region(AddressRange range, model::PieceSink& sink) {
    heap.arenas[0].regions.push_back(range);
    sink.begin_region({.range = range, .arena = 0});
  }
  Address page(std::uint64_t number) const {
    return window.begin + Bytes{number << table.page_shift};
  }
};

/// To be called before read_heaps().
void read_shelves(MinimallocDecoder& decoder);
/// Fills heap.arenas: malloc's heap, then the program's own.
void read_heaps(MinimallocDecoder& decoder);

/// What caches and depots have, once; may be called again.
void read_lists(MinimallocDecoder& decoder);
/// To be called after the last look.
void finish_lists(MinimallocDecoder& decoder);

/// Slabs, large blocks and free pages; surveyed, each is looked at and none handed out.
void survey_pages(MinimallocDecoder& decoder);
void walk_pages(MinimallocDecoder& decoder, model::PieceSink& sink);
/// The memory of the first blocks, and of the blocks for emergencies.
void walk_pools(MinimallocDecoder& decoder, model::PieceSink& sink);
/// The tables that describe all this.
void walk_tables(MinimallocDecoder& decoder, model::PieceSink& sink);

}  // namespace mini::heaps
