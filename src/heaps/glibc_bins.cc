// Bins and fast bins. Sources: malloc/malloc.c, "bin_at", "smallbin_index", "largebin_index_64",
// "fastbin_index", "unlink_chunk".
#include <fmt/format.h>

#include "heaps/glibc_lists.h"

namespace mini::heaps {
namespace {

using model::HeapBin;
using model::PieceUse;

constexpr std::size_t kUnsortedBin = 1;  // bin_at(1)
constexpr std::size_t kFirstLargeBin = 64;
constexpr std::uint64_t kLeastLarge = 1024;

/// Which bin a free chunk of a size belongs to.
std::size_t bin_of(Bytes size) {
  if (size.count < kLeastLarge) return size.count / model::kChunkAlignment.count;
  struct Step {
    int shift;
    std::uint64_t most;
    std::uint64_t first;
  };
  constexpr Step kSteps[] = {{6, 48, 48}, {9, 20, 91}, {12, 10, 110}, {15, 4, 119}, {18, 2, 124}};
  for (const Step& step : kSteps) {
    if ((size.count >> step.shift) <= step.most) return step.first + (size.count >> step.shift);
  }
  return 126;
}

PieceUse use_of(std::size_t bin) {
  if (bin == kUnsortedBin) return PieceUse::kUnsorted;
  return bin < kFirstLargeBin ? PieceUse::kSmallbin : PieceUse::kLargebin;
}

void count(HeapBin& bin, Bytes size) {
  bin.least_size = bin.pieces == 0 ? size : std::min(bin.least_size, size);
  bin.most_size = std::max(bin.most_size, size);
  ++bin.pieces;
  bin.size += size;
}

/// In one read: the next chunk of a list is hardly ever near.
struct FreeChunk {
  ChunkHeader header;
  std::uint64_t forward = 0;
  std::uint64_t backward = 0;
};

/// One doubly linked list. That each chunk links back to the one before proves that the list has no
/// loop but through its head.
class BinReader {
 public:
  BinReader(GlibcDecoder& decoder, std::uint32_t arena) : decoder_(decoder), arena_(arena) {}

  void read(std::size_t number) {
    const Address state = decoder_.heap.arenas[arena_].address;
    const Address head = state + Bytes{decoder_.layout.bins + (number - 1) * 16} - kForwardLink;
    HeapBin bin{
        .use = use_of(number), .arena = arena_, .index = static_cast<std::uint32_t>(number)};
    Address before = head;
    auto at = decoder_.pointer_at(head + kForwardLink);
    const std::uint64_t most = decoder_.most_chunks(arena_);
    while (at && *at != head && *at != Address{} && bin.pieces < most) {
      const auto chunk = check(*at, before, number);
      if (!chunk) break;
      count(bin, chunk->header.size());
      decoder_.listed.push_back({*at, bin.use, arena_});
      before = *at;
      at = Address{chunk->forward};
    }
    const auto last = decoder_.pointer_at(head + kBackwardLink);
    if (at == head && last != before) {
      damage(head + kBackwardLink, "back link of a bin's head", last, before);
    }
    if (bin.pieces != 0) decoder_.heap.bins.push_back(bin);
  }

 private:
  void damage(Address where, std::string_view field, std::optional<Address> found,
              Address expected) {
    decoder_.damages.add(where, std::string(field), found ? format_address(*found) : "unreadable",
                         format_address(expected));
  }

  /// A chunk that may be in that bin behind `before`; nullopt where it may not.
  std::optional<FreeChunk> check(Address chunk, Address before, std::size_t number) {
    const bool is_ours = is_chunk_aligned(chunk) && decoder_.arena_of(chunk) == arena_;
    const auto free = is_ours ? decoder_.memory.read_object<FreeChunk>(chunk) : std::nullopt;
    if (!free) {
      decoder_.damages.add(before + kForwardLink, "link of a free chunk", format_address(chunk),
                           "the address of a chunk of the arena");
      return std::nullopt;
    }
    if (Address{free->backward} != before) {
      damage(chunk + kBackwardLink, "back link of a free chunk", Address{free->backward}, before);
      return std::nullopt;
    }
    const ChunkHeader& header = free->header;
    const bool fits = number == kUnsortedBin || bin_of(header.size()) == number;
    if (!header.is_plausible() || !fits) {
      decoder_.damages.add(chunk + Bytes{8}, "size of a chunk in a bin",
                           fmt::format("{:#x}", header.size_field),
                           number == kUnsortedBin ? std::string("the size of a chunk")
                                                  : fmt::format("a size of bin {}", number));
      return std::nullopt;
    }
    return free;
  }

  GlibcDecoder& decoder_;
  std::uint32_t arena_;
};

/// One fast bin: singly linked, so a loop is found by Brent's method.
void read_fastbin(GlibcDecoder& decoder, std::uint32_t arena, std::size_t index) {
  const Bytes size{(index + 2) * model::kChunkAlignment.count};
  const Address head = decoder.heap.arenas[arena].address +
                       Bytes{decoder.layout.top - 8 * (decoder.layout.fastbins - index)};
  HeapBin bin{
      .use = PieceUse::kFastbin, .arena = arena, .index = static_cast<std::uint32_t>(index)};
  Address from = head;
  Address landmark{};
  std::uint64_t next_landmark = 1;
  auto at = decoder.pointer_at(head);
  const std::uint64_t most = decoder.most_chunks(arena);
  while (at && *at != Address{} && bin.pieces < most) {
    const bool is_ours = is_chunk_aligned(*at) && decoder.arena_of(*at) == arena;
    const auto header = is_ours ? decoder.header_at(*at) : std::nullopt;
    if (!header || header->size() != size) {
      decoder.damages.add(from, "link of a fast bin", format_address(*at),
                          fmt::format("a chunk of {} in the arena", format_bytes(size)));
      break;
    }
    if (*at == landmark) {
      decoder.damages.add(from, "link of a fast bin", format_address(*at),
                          "a chunk that is not in the list already: the list is a loop");
      break;
    }
    if (bin.pieces == next_landmark) {
      landmark = *at;
      next_landmark *= 2;
    }
    count(bin, size);
    decoder.listed.push_back({*at, bin.use, arena});
    from = *at + kForwardLink;
    at = decoder.link_at(from);
  }
  if (bin.pieces != 0) decoder.heap.bins.push_back(bin);
}

}  // namespace

void read_bins(GlibcDecoder& decoder) {
  for (std::uint32_t arena = 0; arena < decoder.heap.arenas.size(); ++arena) {
    for (std::size_t i = 0; i < decoder.layout.fastbins; ++i) read_fastbin(decoder, arena, i);
    BinReader reader(decoder, arena);
    for (std::size_t number = 1; number < kBinsCount; ++number) reader.read(number);
  }
}

void finish_lists(GlibcDecoder& decoder) {
  std::ranges::sort(decoder.listed, {}, &ListedChunk::chunk);
  std::ranges::sort(decoder.own_chunks);
  for (std::size_t i = 1; i < decoder.listed.size(); ++i) {
    const ListedChunk& chunk = decoder.listed[i];
    if (decoder.listed[i - 1].chunk != chunk.chunk) continue;
    decoder.damages.add(chunk.chunk, "chunk in two lists",
                        fmt::format("{} and {}", piece_use_name(decoder.listed[i - 1].use),
                                    piece_use_name(chunk.use)),
                        "one list");
  }
}

}  // namespace mini::heaps
