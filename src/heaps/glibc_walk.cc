// Sources: malloc/malloc.c, "sysmalloc" (fences where an arena's memory is interrupted),
// "_int_free" (the flag of the next chunk says whether a chunk is free).
#include "heaps/glibc_walk.h"

#include <algorithm>
#include <array>
#include <fmt/format.h>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "base/memory_reader.h"
#include "base/text.h"
#include "heaps/glibc_arenas.h"

namespace mini::heaps {
namespace {

using model::HeapPiece;
using model::PieceUse;

constexpr int kSoundChunks = 8;                // in a row, to go on from a place behind damage
constexpr std::uint64_t kMostTries = 1 << 22;  // places tried in a heap: 64 MiB of them

class RegionWalk {
 public:
  RegionWalk(GlibcDecoder& decoder, const MemoryReader& memory, const model::HeapRegion& region,
             model::PieceSink& sink)
      : decoder_(decoder),
        window_(memory),
        probe_(memory),
        arena_(decoder.heap.arenas[region.arena]),
        region_(region),
        sink_(sink) {
    const Address top = arena_.top.value_or(Address{});
    stop_ = region.range.contains(top) ? top : region.range.end;
  }

  void run() {
    sink_.begin_region(region_);
    Address at = first_chunk(decoder_, arena_, region_.range);
    emit({region_.range.begin, at}, PieceUse::kAllocator, at - region_.range.begin);
    if (stop_ < at) stop_ = region_.range.end;  // a top among the headers is none
    while (at < stop_) at = step(at);
    if (at == stop_ && stop_ < region_.range.end) {
      emit({at, region_.range.end}, PieceUse::kTop, {});
    }
    hand_out();
    sink_.end_region();
  }

 private:
  static constexpr Bytes kHeader{8};
  static constexpr std::size_t kMostWaiting = 128;  // pieces, 5 KiB of them

  /// Of a free chunk all is free.
  static Bytes header_bytes(PieceUse use, Bytes size) {
    if (use == PieceUse::kAllocator) return size;
    return use == PieceUse::kLive ? kHeader : Bytes{};
  }

  void emit(AddressRange range, PieceUse use, Bytes header) {
    if (range.empty()) return;
    waiting_[waiting_count_++] = {.range = range,
                                  .use = use,
                                  .arena = region_.arena,
                                  .header = std::min(header, range.size()),
                                  .before_user = kChunkToUser};
    if (waiting_count_ == waiting_.size()) hand_out();
  }
  void hand_out() {
    sink_.pieces(std::span(waiting_).first(waiting_count_));
    waiting_count_ = 0;
  }

  /// Takes the chunk at `at`; returns where the next one is.
  Address step(Address at) {
    const auto header = at == seen_at_ ? seen_ : window_.at(at, region_.range.end);
    const auto end = header ? end_of(at, *header) : std::nullopt;
    if (!end) {
      if (header && is_fence(at, *header)) return cross_fence(at);
      decoder_.damages.add(
          at + Bytes{8}, fmt::format("size of the chunk at {}", format_address(at)),
          header ? fmt::format("{:#x}", header->size_field) : "unreadable",
          fmt::format("a multiple of 16 from 32 to {:#x}, with flags below", (stop_ - at).count));
      return skip(at, at + model::kChunkAlignment, PieceUse::kUnknown);
    }
    const auto next = window_.at(*end, region_.range.end);
    seen_at_ = *end;
    seen_ = next;
    // What a free chunk is before is no top. One whose header is not written yet, or overwritten,
    // does not say so.
    const PieceUse listed = decoder_.listed.find(at);
    const bool is_before_top = *end == arena_.top && !is_binned(listed);
    const bool in_use = !next || next->previous_in_use() || is_before_top;
    if (!in_use && next->previous_size != header->size().count) {
      decoder_.damages.add(
          *end, fmt::format("size before the chunk at {}", format_address(*end)),
          fmt::format("{:#x}", next->previous_size),
          fmt::format("{:#x}, the free chunk at {} says", header->size().count, format_address(at)),
          model::DamageKind::kFollows);
    }
    if (in_use && next && is_binned(listed)) {
      report_flag(at, *end, *next);
    } else if (in_use && next) {
      check_owner(at, *header, *next);
    }
    const PieceUse use = in_use ? listed : use_of_free(at, listed);
    emit({at, *end}, use, header_bytes(use, header->size()));
    return *end;
  }

  /// nullopt where the size cannot be right.
  std::optional<Address> end_of(Address at, const ChunkHeader& header) const {
    if (!header.is_plausible()) return std::nullopt;
    const auto range = checked_range(at, header.size());
    return range && range->end <= stop_ ? std::optional(range->end) : std::nullopt;
  }

  /// Of the two fences, a thread's arena has 0 in the second.
  bool is_fence(Address at, const ChunkHeader& header) const {
    if (header.is_mmapped()) return false;
    return header.size() == kFenceSize || (header.size() == Bytes{} && is_last(at));
  }
  bool is_last(Address at) const {
    return !arena_.is_main && stop_ == region_.range.end && stop_ - at <= kFenceSize * 2;
  }

  /// Behind the two small chunks that mark an end come what others got by moving the break, and
  /// then the arena's next part; in a thread's arena nothing comes.
  Address cross_fence(Address at) {
    if (is_last(at)) {
      emit({at, region_.range.end}, PieceUse::kAllocator, region_.range.end - at);
      return stop_;
    }
    const Address second = at + kFenceSize;
    const auto behind = window_.at(second, region_.range.end);
    if (!behind || behind->size() != kFenceSize) {
      emit({at, std::min(second, stop_)}, PieceUse::kAllocator, kFenceSize);
      return std::min(second, stop_);
    }
    const Address end = std::min(second + kFenceSize, stop_);
    emit({at, end}, PieceUse::kAllocator, end - at);
    return skip(end, end, PieceUse::kForeign);
  }

  /// Goes on at the first place from `first_try` on that chunks follow from.
  Address skip(Address at, Address first_try, PieceUse use) {
    Address place = first_try;
    while (place < stop_ && !is_sound(place)) {
      if (++decoder_.places_tried > kMostTries) place = stop_ - model::kChunkAlignment;
      const bool is_readable = probe_.at(place, region_.range.end).has_value();
      place = is_readable ? place + model::kChunkAlignment : next_page(place);
    }
    place = std::min(place, stop_);
    emit({at, place}, use, {});
    return place;
  }

  Address next_page(Address place) const {
    return {(place.value | (decoder_.page_size.count - 1)) + 1};
  }

  bool is_sound(Address place) {
    for (int i = 0; i < kSoundChunks && place != stop_; ++i) {
      const auto header = probe_.at(place, region_.range.end);
      const auto end = header ? end_of(place, *header) : std::nullopt;
      if (!end || (i == 0 && !header->previous_in_use())) return false;
      const auto next = probe_.at(*end, region_.range.end);
      const bool is_free = next && !next->previous_in_use();
      if (is_free && next->previous_size != header->size().count) return false;
      place = *end;
    }
    return true;
  }

  /// A chunk in use says of which kind of arena it is; not the two fences, the first of which may
  /// be as large as a chunk.
  void check_owner(Address at, const ChunkHeader& header, const ChunkHeader& next) {
    if (header.is_of_thread_arena() != arena_.is_main || next.size() < model::kSmallestChunk)
      return;
    decoder_.damages.add(at + Bytes{8},
                         fmt::format("flag 4 of the chunk at {}", format_address(at)),
                         arena_.is_main ? "set" : "clear",
                         arena_.is_main ? "clear in the main arena" : "set in a thread's arena");
  }

  /// Caches and fast bins keep their chunks marked as used.
  static bool is_binned(PieceUse use) { return model::is_binned(use) && use != PieceUse::kFastbin; }

  /// A chunk in a bin of which the next one says that it is in use.
  void report_flag(Address chunk, Address end, const ChunkHeader& next) {
    // Where the whole size of the next one cannot be, that is told when the walk comes there.
    if (end < stop_ && !end_of(end, next) && !is_fence(end, next)) return;
    decoder_.damages.add(
        end + Bytes{8}, fmt::format("flag 1 of the chunk at {}", format_address(end)), "set",
        fmt::format("clear, the chunk before it at {} is in a bin", format_address(chunk)));
  }

  PieceUse use_of_free(Address chunk, PieceUse listed) {
    if (model::is_free(listed)) return listed;
    // What follows in its list a chunk that was not found is not known to be there.
    if (arena_.not_found != Bytes{}) return PieceUse::kUnsorted;
    decoder_.damages.add(chunk, fmt::format("free chunk at {}", format_address(chunk)), "in no bin",
                         "in a bin of its arena", model::DamageKind::kFollows);
    return PieceUse::kUnsorted;
  }

  GlibcDecoder& decoder_;
  HeaderWindow window_;
  HeaderWindow probe_;  // of its own: looking ahead must not move the walk's window
  const model::HeapArena& arena_;
  const model::HeapRegion& region_;
  model::PieceSink& sink_;
  Address stop_;
  Address seen_at_{UINT64_MAX};      // the chunk whose header was read as the next of another
  std::optional<ChunkHeader> seen_;  // that header
  std::array<HeapPiece, kMostWaiting> waiting_;  // to be handed out
  std::size_t waiting_count_ = 0;
};

// ── mmapped chunks ──────────────────────────────────────────────────────────────────────────────

constexpr std::uint64_t kMostEmptyPages = 1 << 14;  // looked at without finding one
constexpr std::uint64_t kMostAlignment = std::uint64_t{1} << 40U;

class MmappedWalk {
 public:
  MmappedWalk(GlibcDecoder& decoder, const MemoryReader& memory, model::PieceSink& sink)
      : decoder_(decoder), memory_(memory), sink_(sink) {}

  bool is_complete() const {
    return decoder_.heap.mmapped_found >= decoder_.heap.parameters.mmapped_count;
  }

  /// The chunks at the begin of a range, one behind the other.
  Address take_all(AddressRange range) {
    Address at = range.begin;
    while (at < range.end && !is_complete()) {
      const auto chunk = chunk_at({at, range.end});
      if (!chunk) break;
      emit({at, chunk->second}, chunk->first);
      at = chunk->second;
    }
    return at;
  }

  /// The rest of a mapping, page by page: others' mappings may be merged with a chunk's. Chunks end
  /// at `limit` at the latest. Returns where the last one does.
  Address search(AddressRange rest, Address limit) {
    Address at = rest.begin;
    while (at < rest.end && !is_complete() && empty_pages_ < kMostEmptyPages) {
      const Address next = take_all({at, limit});
      if (next == at) ++empty_pages_;
      at = next == at ? at + decoder_.page_size : next;
    }
    return at;
  }

 private:
  /// A chunk whose mapping begins where `rest` does: where the chunk is, and the mapping's end.
  std::optional<std::pair<Address, Address>> chunk_at(AddressRange rest) const {
    for (const Address chunk : {rest.begin, rest.begin + decoder_.page_size - kChunkToUser}) {
      const auto end = end_of_mapping_of(chunk, rest);
      if (end) return std::pair(aligned_chunk({rest.begin, *end}).value_or(chunk), *end);
    }
    return std::nullopt;
  }

  /// An aligned block's chunk is the rest of one that was at its mapping's begin, whose header
  /// stays there (_int_memalign(); from the least alignment on by which anything is left before).
  std::optional<Address> aligned_chunk(AddressRange mapping) const {
    const std::uint64_t most = std::min(mapping.size().count, kMostAlignment);
    Address before;
    for (std::uint64_t alignment = 64; alignment <= most; alignment *= 2) {
      const std::uint64_t least = (mapping.begin + kChunkToUser).value;
      const Address chunk = Address{(least + alignment - 1) / alignment * alignment} - kChunkToUser;
      if (chunk >= mapping.end) break;
      if (std::exchange(before, chunk) == chunk) continue;
      if (end_of_mapping_of(chunk, mapping) == mapping.end) return chunk;
    }
    return std::nullopt;
  }

  /// Where the mapping ends that begins where `rest` does, if a chunk is at `chunk`: its first word
  /// says how far that is behind the mapping's begin.
  std::optional<Address> end_of_mapping_of(Address chunk, AddressRange rest) const {
    const auto header = chunk < rest.end ? memory_.read_object<ChunkHeader>(chunk) : std::nullopt;
    if (!header || (header->size_field & ChunkHeader::kFlags) != ChunkHeader::kMmapped) {
      return std::nullopt;
    }
    // The low bit says from 2.43 on that the mapping is of huge pages.
    if ((header->previous_size & ~std::uint64_t{1}) != (chunk - rest.begin).count) {
      return std::nullopt;
    }
    const auto end = mapping_end(chunk, header->size());
    const bool is_whole = end && *end <= rest.end && header->size() >= model::kSmallestChunk;
    return is_whole && *end > rest.begin ? end : std::nullopt;
  }

  /// A chunk ends with its mapping; from 2.43 on, 16 bytes before, as though another one followed.
  std::optional<Address> mapping_end(Address chunk, Bytes size) const {
    for (const Bytes behind : {Bytes{}, kChunkToUser}) {
      const auto range = checked_range(chunk, size + behind);
      if (range && range->end.value % decoder_.page_size.count == 0) return range->end;
    }
    return std::nullopt;
  }

  void emit(AddressRange mapping, Address chunk) {
    ++decoder_.heap.mmapped_found;
    decoder_.heap.mmapped_bytes_found += mapping.size();
    const Bytes before_user = chunk - mapping.begin + kChunkToUser;
    sink_.begin_region({.range = mapping});
    sink_.piece({.range = mapping,
                 .use = PieceUse::kLive,
                 .header = before_user,
                 .before_user = before_user});
    sink_.end_region();
  }

  GlibcDecoder& decoder_;
  const MemoryReader& memory_;  // not the decoder's: chunks are pages apart, nothing is read twice
  model::PieceSink& sink_;
  std::uint64_t empty_pages_ = 0;
};

/// What of the mappings no arena has: the kernel may have merged a chunk's with an arena's.
std::vector<AddressRange> outside_regions(std::span<const AddressRange> mappings,
                                          std::span<const model::HeapRegion> regions) {
  std::vector<AddressRange> parts;
  auto region = regions.begin();
  for (const AddressRange& mapping : mappings) {
    Address at = mapping.begin;
    while (region != regions.end() && region->range.end <= at) ++region;
    for (auto in = region; in != regions.end() && in->range.begin < mapping.end; ++in) {
      if (at < in->range.begin) parts.push_back({at, in->range.begin});
      at = std::max(at, in->range.end);
    }
    if (at < mapping.end) parts.push_back({at, mapping.end});
  }
  return parts;
}

/// Where those end that follow each range without a gap: madvise() on a part of a chunk divides its
/// mapping.
std::vector<Address> ends_of_runs(std::span<const AddressRange> ranges) {
  std::vector<Address> ends(ranges.size());
  for (std::size_t i = ranges.size(); i-- > 0;) {
    const bool goes_on = i + 1 < ranges.size() && ranges[i + 1].begin == ranges[i].end;
    ends[i] = goes_on ? ends[i + 1] : ranges[i].end;
  }
  return ends;
}

}  // namespace

void walk_region(GlibcDecoder& decoder, const MemoryReader& memory, const model::HeapRegion& region,
                 model::PieceSink& sink) {
  RegionWalk(decoder, memory, region, sink).run();
}

void walk_mmapped(GlibcDecoder& decoder, const MemoryReader& memory,
                  std::span<const AddressRange> writable, model::PieceSink& sink) {
  MmappedWalk walk(decoder, memory, sink);
  std::vector<AddressRange> rests = outside_regions(writable, decoder.regions);
  std::vector<Address> limits = ends_of_runs(rests);
  Address taken;  // up to here
  for (std::size_t i = 0; i < rests.size(); ++i) {
    taken = walk.take_all({std::max(rests[i].begin, taken), limits[i]});
    rests[i].begin = std::min(taken, rests[i].end);
  }
  limits = ends_of_runs(rests);
  taken = {};
  for (std::size_t i = 0; i < rests.size(); ++i) {
    taken = walk.search({std::max(rests[i].begin, taken), rests[i].end}, limits[i]);
  }
}

}  // namespace mini::heaps
