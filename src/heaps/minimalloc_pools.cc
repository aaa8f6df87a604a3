// docs/minimalloc-layout.md, step 8, and what the library keeps for itself: the mappings of its
// tables, of which the layout tells where each begins.
#include <algorithm>
#include <fmt/format.h>

#include "base/checked.h"
#include "heaps/minimalloc_decoder.h"

namespace mini::heaps {
namespace {

using model::PieceUse;

constexpr Bytes kFirstBlock{16};
constexpr Bytes kHeader{8};
constexpr std::uint64_t kStateMask = 15;
constexpr Bytes kMostPoolBytes = kMiB * 64;
constexpr Bytes kMostWindow{std::uint64_t{1} << 41U};  // tables are not further before the heap

void put(model::PieceSink& sink, AddressRange range, PieceUse use, Bytes header,
         Bytes before_user = {}) {
  if (range.empty()) return;
  sink.piece({.range = range,
              .use = use,
              .arena = 0,
              .header = std::min(header, range.size()),
              .before_user = before_user});
}

class PoolWalk {
 public:
  PoolWalk(MinimallocDecoder& decoder, AddressRange memory, model::PieceSink& sink)
      : decoder_(decoder), memory_(memory), sink_(sink) {}

  bool is_used() const { return header_before(memory_.begin + kFirstBlock) != 0; }

  /// A freed block of a pool is not used again, and its end not by programs as they are: both are
  /// the library's own.
  void run() {
    decoder_.begin_region(memory_, sink_);
    Address at = memory_.begin + (kFirstBlock - kHeader);  // of a block's header
    put(sink_, {memory_.begin, at}, PieceUse::kAllocator, at - memory_.begin);
    while (at + kHeader < memory_.end) {
      const std::uint64_t header = header_before(at + kHeader);
      if (header == 0) break;
      const Bytes distance{header & ~kStateMask};
      const std::uint64_t state = header & kStateMask;
      if (distance < kFirstBlock || distance > memory_.end - at ||
          (state != MINIMALLOC_POOL_IN_USE && state != MINIMALLOC_POOL_FREED)) {
        decoder_.damages.add(
            at, "header of a block of a pool", fmt::format("{:#x}", header),
            fmt::format("a multiple of 16 up to {:#x}, plus {} or {}", (memory_.end - at).count,
                        MINIMALLOC_POOL_IN_USE, MINIMALLOC_POOL_FREED));
        put(sink_, {at, memory_.end}, PieceUse::kUnknown, {});
        at = memory_.end;
        break;
      }
      const bool is_live = state == MINIMALLOC_POOL_IN_USE;
      put(sink_, {at, at + distance}, is_live ? PieceUse::kLive : PieceUse::kAllocator,
          is_live ? kHeader : distance, kHeader);
      at = at + distance;
    }
    put(sink_, {at, memory_.end}, PieceUse::kAllocator, memory_.end - at);
    sink_.end_region();
  }

 private:
  std::uint64_t header_before(Address block) const {
    return decoder_.pages.read_object<std::uint64_t>(block - kHeader).value_or(0);
  }

  MinimallocDecoder& decoder_;
  AddressRange memory_;
  model::PieceSink& sink_;
};

bool overlaps_any(const std::vector<AddressRange>& ranges, AddressRange range) {
  return std::ranges::any_of(ranges, [&](AddressRange other) { return other.overlaps(range); });
}

/// The memory of a pool; empty where it has none.
AddressRange pool_memory(MinimallocDecoder& decoder, Address pool) {
  const auto at = decoder.pages.read_object<std::uint64_t>(pool + Bytes{decoder.table.pool.memory});
  const auto size = decoder.pages.read_object<std::uint64_t>(pool + Bytes{decoder.table.pool.size});
  if (!at || !size || *at == 0 || *size == 0) return {};
  const auto range = checked_range({*at}, {*size});
  if (range && *size > kFirstBlock.count && *size <= kMostPoolBytes.count && *at % 16 == 0) {
    return *range;
  }
  decoder.damages.add(pool, "memory of a pool", fmt::format("{:#x} bytes at {:#x}", *size, *at),
                      "a piece of the library's data");
  return {};
}

}  // namespace

void walk_pools(MinimallocDecoder& decoder, model::PieceSink& sink) {
  for (std::uint32_t i = 0; i < decoder.table.pool_count; ++i) {
    const AddressRange memory = pool_memory(decoder, address_of(decoder.table.pools[i]));
    if (memory.empty() || memory.overlaps(decoder.window) || overlaps_any(decoder.pools, memory)) {
      continue;
    }
    PoolWalk walk(decoder, memory, sink);
    if (!walk.is_used()) continue;
    decoder.pools.push_back(memory);
    walk.run();
  }
}

void walk_tables(MinimallocDecoder& decoder, model::PieceSink& sink) {
  if (decoder.window.empty()) return;
  std::vector<Address> inside = {decoder.page_map, decoder.span_ids, decoder.spans,
                                 decoder.extents};
  for (const model::HeapCache& cache : decoder.heap.caches) inside.push_back(cache.address);
  std::ranges::sort(inside);
  for (const AddressRange& mapping : decoder.target.writable) {
    // The last table may share its mapping with the heap.
    const AddressRange part{mapping.begin,
                            std::max(mapping.begin, std::min(mapping.end, decoder.window.begin))};
    const auto first = std::ranges::lower_bound(inside, part.begin);
    if (part.empty() || first == inside.end() || *first >= part.end) continue;
    if (decoder.window.begin - part.begin > kMostWindow || overlaps_any(decoder.pools, part)) {
      continue;
    }
    decoder.begin_region(part, sink);
    put(sink, part, PieceUse::kAllocator, part.size());
    sink.end_region();
  }
}

}  // namespace mini::heaps
