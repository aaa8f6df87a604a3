// Sources: malloc/malloc.c, "sysmalloc" (two fences end what was the top before) and
// "sysmalloc_mmap_fallback" (1 MiB or as much as is needed, in whole pages; the flag that the arena
// is not contiguous).
#include "heaps/glibc_pieces.h"

#include "base/checked.h"

namespace mini::heaps {
namespace {

constexpr std::uint64_t kMostPages = 1 << 16;   // looked at without finding anything
constexpr std::uint64_t kMostPlaces = 1 << 16;  // the same, chunk by chunk behind the first piece
constexpr std::uint64_t kMostSteps = 1 << 22;   // from chunk to chunk, leading to no end

class PieceSearch {
 public:
  PieceSearch(const GlibcDecoder& decoder, Address top, Address top_end, Bytes wanted)
      : decoder_(decoder), top_(top), top_end_(top_end), wanted_(wanted) {}

  bool is_complete() const { return found_ >= wanted_; }
  Bytes missing() const { return is_complete() ? Bytes{} : wanted_ - found_; }
  std::vector<AddressRange> take() {
    std::ranges::sort(pieces_, {}, &AddressRange::begin);
    return std::move(pieces_);
  }

  /// Takes what is at the begin of `rest`, pieces and mmapped chunks; returns where it ends.
  Address take_all(AddressRange rest) {
    while (rest.begin < rest.end && !is_complete()) {
      const Address next = take_one(rest);
      if (next == rest.begin) break;
      rest.begin = next;
    }
    return rest.begin;
  }

  /// The rest of a mapping, page by page: others' mappings may be merged with a piece's.
  void search_pages(AddressRange rest) {
    while (rest.begin < rest.end && !is_complete() && pages_ < kMostPages) {
      const Address next = take_all(rest);
      if (next == rest.begin) ++pages_;
      rest.begin = next == rest.begin ? next + decoder_.page_size : next;
    }
  }

  /// Behind the first piece, where the break was moved by others before it could not be moved.
  Address search_places(AddressRange rest) {
    Address end = rest.begin;
    for (std::uint64_t i = 0; rest.begin < rest.end && !is_complete() && i < kMostPlaces; ++i) {
      const Address next = take_piece(rest);
      if (next != rest.begin) end = next;
      rest.begin = next == rest.begin ? next + model::kChunkAlignment : next;
    }
    return end;
  }

  Address take_piece(AddressRange rest) {
    const auto end = end_of_piece(rest);
    if (!end) return rest.begin;
    pieces_.push_back({rest.begin, *end});
    found_ += *end - rest.begin;
    return *end;
  }

 private:
  bool is_aligned(Address address) const { return address.value % decoder_.page_size.count == 0; }

  Address take_one(AddressRange rest) {
    const Address end = take_piece(rest);
    if (end != rest.begin) return end;
    // The low bit of the first word says from 2.43 on that the mapping is of huge pages; from then
    // on the mapping ends 16 bytes behind the chunk.
    const auto header = decoder_.header_at(rest.begin);
    const bool is_mmapped = header && header->previous_size <= 1 &&
                            (header->size_field & ChunkHeader::kFlags) == ChunkHeader::kMmapped;
    for (const Bytes behind : {Bytes{}, kChunkToUser}) {
      const auto range =
          is_mmapped ? checked_range(rest.begin, header->size() + behind) : std::nullopt;
      if (range && range->end <= rest.end && is_aligned(range->end)) return range->end;
    }
    return rest.begin;
  }

  /// Where a piece ends that begins where `rest` does; nullopt where none does.
  std::optional<Address> end_of_piece(AddressRange rest) {
    Address at = rest.begin;
    for (bool is_first = true; at < rest.end && steps_ < kMostSteps; is_first = false) {
      if (at == top_) return top_end_;
      const auto header = decoder_.header_at(at);
      if (!header || (is_first && !header->previous_in_use())) break;
      if (!is_first && is_fence(*header)) return end_of_fences(at, rest.end);
      const auto range = checked_range(at, header->size());
      const bool is_sound = header->is_plausible() && !header->is_of_thread_arena();
      if (!range || !is_sound || range->end > rest.end) break;
      at = range->end;
      ++steps_;
    }
    return std::nullopt;
  }

  static bool is_fence(const ChunkHeader& header) {
    return header.size() == kFenceSize && !header.is_mmapped();
  }
  /// Two, or three where so little was left of the top that it is no chunk.
  std::optional<Address> end_of_fences(Address first, Address limit) {
    Address end = first + kFenceSize;
    while (end < limit && end - first < kFenceSize * 3) {
      const auto next = decoder_.header_at(end);
      if (!next || !is_fence(*next) || !next->previous_in_use()) break;
      end = end + kFenceSize;
    }
    if (end - first < kFenceSize * 2) return std::nullopt;
    steps_ = 0;
    return end;
  }

  const GlibcDecoder& decoder_;
  Address top_;
  Address top_end_;
  Bytes wanted_;
  Bytes found_;
  std::vector<AddressRange> pieces_;
  std::uint64_t pages_ = 0;
  std::uint64_t steps_ = 0;  // since the last piece
};

/// Where a damaged chunk hid the first piece or the one with the top, all that may be of it: the
/// walk over it says what is damaged.
void add_damaged(std::vector<AddressRange>& pieces, Address base, const AddressRange* base_mapping,
                 AddressRange top, const AddressRange& top_mapping) {
  const auto after = std::ranges::upper_bound(pieces, base, {}, &AddressRange::begin);
  const bool has_base = after != pieces.begin() && std::prev(after)->contains(base);
  if (!has_base && base_mapping != nullptr && !base_mapping->contains(top.begin)) {
    const bool is_limited = after != pieces.end() && after->begin < base_mapping->end;
    pieces.insert(after, {base, is_limited ? after->begin : base_mapping->end});
  }
  if (range_of(pieces, top.begin) != nullptr) return;
  const auto behind = std::ranges::upper_bound(pieces, top.begin, {}, &AddressRange::begin);
  Address begin = top_mapping.begin;
  if (behind != pieces.begin()) begin = std::max(begin, std::prev(behind)->end);
  if (!has_base && top_mapping.contains(base) && base < top.begin) begin = std::max(begin, base);
  pieces.insert(behind, {begin, top.end});
}

}  // namespace

const AddressRange* range_of(std::span<const AddressRange> ranges, Address address) {
  const auto after = std::ranges::upper_bound(ranges, address, {}, &AddressRange::begin);
  if (after == ranges.begin()) return nullptr;
  const AddressRange& before = *std::prev(after);
  return before.contains(address) ? &before : nullptr;
}

void find_pieces(const GlibcDecoder& decoder, model::HeapArena& arena, Address base,
                 std::span<const AddressRange> mappings, Address top_end) {
  if (!arena.top) return;
  const Address top = *arena.top;
  const AddressRange* const top_mapping = range_of(mappings, top);
  if (top_mapping == nullptr) return;
  PieceSearch search(decoder, top, top_end, arena.system);
  const AddressRange* const base_mapping = range_of(mappings, base);
  AddressRange taken{base, base};
  if (base_mapping != nullptr) {
    taken.end = search.take_piece({base, base_mapping->end});
    if (!taken.empty()) taken.end = search.search_places({taken.end, base_mapping->end});
  }
  std::vector<AddressRange> rests;
  for (const AddressRange& mapping : mappings) {
    // Only the first piece need not begin with a page.
    const bool has_base = &mapping == base_mapping && !taken.empty();
    const AddressRange before{mapping.begin, has_base ? taken.begin : mapping.end};
    const std::uint64_t page = decoder.page_size.count;
    const AddressRange behind{Address{(taken.end.value + page - 1) & ~(page - 1)}, mapping.end};
    rests.push_back({search.take_all(before), before.end});
    if (has_base && behind.begin < behind.end) rests.push_back(behind);
  }
  for (const AddressRange& rest : rests) search.search_pages(rest);
  arena.not_found = search.missing();
  arena.regions = search.take();
  add_damaged(arena.regions, base, base_mapping, {top, top_end}, *top_mapping);
}

}  // namespace mini::heaps
