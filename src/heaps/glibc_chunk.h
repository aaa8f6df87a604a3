// glibc's chunk as it lies in memory, what every part of the decoder reads and writes down.
//
// A chunk's first word belongs to the chunk before it, unless that one is free: then it is that
// chunk's size ("prev_size"). The second word is its own size with three flags below. What malloc
// returns begins after these two.
#pragma once

#include <algorithm>
#include <cstdint>
#include <fmt/format.h>
#include <optional>
#include <vector>

#include "heaps/damage_log.h"
#include "heaps/glibc_layout.h"
#include "heaps/listed_chunks.h"
#include "heaps/page_cache.h"
#include "model/heap.h"
#include "model/malloc_arithmetic.h"

namespace mini::heaps {

inline constexpr Bytes kChunkToUser{16};
inline constexpr Bytes kForwardLink{16};
inline constexpr Bytes kBackwardLink{24};
inline constexpr Bytes kFenceSize{16};  // of a chunk that only marks an end: none so small is used

/// The two words before a block.
struct ChunkHeader {
  static constexpr std::uint64_t kPreviousInUse = 1;
  static constexpr std::uint64_t kMmapped = 2;
  static constexpr std::uint64_t kOfThreadArena = 4;  // never set in a free chunk
  static constexpr std::uint64_t kFlags = 7;

  std::uint64_t previous_size = 0;
  std::uint64_t size_field = 0;

  Bytes size() const { return {size_field & ~kFlags}; }
  bool previous_in_use() const { return (size_field & kPreviousInUse) != 0; }
  bool is_mmapped() const { return (size_field & kMmapped) != 0; }
  bool is_of_thread_arena() const { return (size_field & kOfThreadArena) != 0; }
  /// As far as a size alone can tell.
  bool is_plausible() const {
    return size() >= model::kSmallestChunk && size().count % model::kChunkAlignment.count == 0 &&
           !is_mmapped();
  }
};

inline bool is_chunk_aligned(Address address) {
  return address != Address{} && address.value % model::kChunkAlignment.count == 0;
}

/// What the parts of the decoder share.
struct GlibcDecoder {
  const PageCache& memory;
  const GlibcLayout& layout;
  const GlibcCacheLayout& caches;
  Bytes page_size;
  model::Heap& heap;
  DamageLog damages;
  ListedChunks listed = {};  // once lists are read; those that caches are in are kAllocator
  std::vector<model::HeapRegion> regions = {};  // of all arenas, by address
  std::vector<AddressRange> elsewhere = {};     // where else the main arena has memory, if it has
  std::uint64_t places_tried = 0;               // of all walks, behind damage

  std::optional<ChunkHeader> header_at(Address chunk) const {
    return memory.read_object<ChunkHeader>(chunk);
  }
  std::optional<Address> pointer_at(Address at) const {
    const auto value = memory.read_object<std::uint64_t>(at);
    return value ? std::optional(Address{*value}) : std::nullopt;
  }
  /// The link at an address of a singly linked list.
  std::optional<Address> link_at(Address at) const {
    const auto stored = pointer_at(at);
    return stored ? std::optional(link_from(stored->value, at)) : std::nullopt;
  }
  /// What is stored at an address, as a link.
  Address link_from(std::uint64_t stored, Address at) const {
    constexpr int kShift = 12;  // "PROTECT_PTR"
    return Address{caches.safe_linking ? stored ^ (at.value >> kShift) : stored};
  }
  /// Notes a chunk that was found in a list; returns as what it was listed before, kLive as
  /// nothing. That it is in two lists is damage.
  model::PieceUse list(Address chunk, model::PieceUse use) {
    const model::PieceUse before = listed.add(chunk, use);
    if (before != model::PieceUse::kLive) {
      damages.add(chunk, "chunk in two lists",
                  fmt::format("{} and {}", piece_use_name(before), piece_use_name(use)), "one list",
                  model::DamageKind::kTwice);
    }
    return before;
  }
  /// Chunks that all regions of an arena have room for: no list of them is longer.
  std::uint64_t most_chunks(std::uint32_t arena) const {
    Bytes size;
    for (const AddressRange& region : heap.arenas[arena].regions) size += region.size();
    return size.count / model::kSmallestChunk.count;
  }
  /// The arena with a region that an address is in.
  std::optional<std::uint32_t> arena_of(Address address) const {
    const auto after = std::ranges::upper_bound(
        regions, address, {}, [](const model::HeapRegion& region) { return region.range.begin; });
    if (after == regions.begin() || !std::prev(after)->range.contains(address)) return std::nullopt;
    return std::prev(after)->arena;
  }
  /// Whether an address may be in memory of the arena that was not found.
  bool may_be_elsewhere(std::uint32_t arena, Address address) const {
    return heap.arenas[arena].not_found != Bytes{} && is_chunk_aligned(address) &&
           !arena_of(address) && std::ranges::any_of(elsewhere, [&](AddressRange range) {
             return range.contains(address);
           });
  }
};

}  // namespace mini::heaps
