// Bins and fast bins. Sources: malloc/malloc.c, "bin_at", "smallbin_index", "largebin_index_64",
// "fastbin_index", "unlink_chunk".
#include <fmt/format.h>
#include <string_view>

#include "base/text.h"
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

/// What a large chunk has behind that ("fd_nextsize", "bk_nextsize"): the first one of each size in
/// a bin leads to the first ones of other sizes, in the order of the list; the others to nothing.
struct SizeLinks {
  std::uint64_t next = 0;
  std::uint64_t previous = 0;
};

constexpr Bytes kNextSizeLink{32};
constexpr Bytes kPreviousSizeLink{40};

/// One doubly linked list. That each chunk links back to the one before proves that the list has no
/// loop but through its head.
class BinList {
 public:
  BinList(GlibcDecoder& decoder, std::uint32_t arena, std::size_t number)
      : decoder_(decoder),
        number_(number),
        most_(decoder.most_chunks(arena)),
        head_(decoder.heap.arenas[arena].address +
              Bytes{decoder.layout.bins + (number - 1) * kHeadSize} - kForwardLink),
        before_(head_),
        at_(decoder.pointer_at(head_ + kForwardLink)),
        bin_{.use = use_of(number), .arena = arena, .index = static_cast<std::uint32_t>(number)} {}

  /// Takes one chunk; false where there is none any more.
  bool step() {
    if (!at_ || *at_ == head_ || *at_ == Address{} || bin_.pieces >= most_) return false;
    if (decoder_.may_be_elsewhere(bin_.arena, *at_)) return false;
    const auto chunk = check(*at_);
    if (!chunk) {
      is_damaged_ = true;
      return false;
    }
    decoder_.memory.fetch(Address{chunk->forward});
    if (bin_.use == PieceUse::kLargebin) follow_sizes(*at_, chunk->header.size());
    count(bin_, chunk->header.size());
    decoder_.list(*at_, bin_.use);
    before_ = *at_;
    at_ = Address{chunk->forward};
    return true;
  }

  /// To be called once, after the last step.
  void finish() {
    const auto last = decoder_.pointer_at(head_ + kBackwardLink);
    const bool is_whole = !is_damaged_ && at_ == head_;
    if (is_whole && last != before_) {
      damage(head_ + kBackwardLink, "back link of a bin's head", last, before_);
    }
    if (is_whole && first_of_size_) close_sizes(*first_of_size_);
    if (bin_.pieces != 0) decoder_.heap.bins.push_back(bin_);
  }

 private:
  static constexpr std::size_t kHeadSize = 16;  // two links

  void damage(Address where, std::string_view field, std::optional<Address> found,
              Address expected) {
    decoder_.damages.add(where, std::string(field), found ? format_address(*found) : "unreadable",
                         format_address(expected));
  }

  /// A chunk that may be in that bin behind `before_`; nullopt where it may not.
  std::optional<FreeChunk> check(Address chunk) {
    const bool is_ours = is_chunk_aligned(chunk) && decoder_.arena_of(chunk) == bin_.arena;
    const auto free = is_ours ? decoder_.memory.read_object<FreeChunk>(chunk) : std::nullopt;
    if (!free) {
      decoder_.damages.add(before_ + kForwardLink, "link of a free chunk", format_address(chunk),
                           "the address of a chunk of the arena");
      return std::nullopt;
    }
    if (Address{free->backward} != before_) {
      damage(chunk + kBackwardLink, "back link of a free chunk", Address{free->backward}, before_);
      return std::nullopt;
    }
    const ChunkHeader& header = free->header;
    const bool fits = number_ == kUnsortedBin || bin_of(header.size()) == number_;
    if (!header.is_plausible() || !fits) {
      decoder_.damages.add(chunk + Bytes{8}, "size of a chunk in a bin",
                           fmt::format("{:#x}", header.size_field),
                           number_ == kUnsortedBin ? std::string("the size of a chunk")
                                                   : fmt::format("a size of bin {}", number_));
      return std::nullopt;
    }
    return free;
  }

  /// Sizes of a list never rise, so that those of one size are together.
  void follow_sizes(Address chunk, Bytes size) {
    const bool is_first = bin_.pieces == 0 || size != size_;
    size_ = size;
    const auto links = decoder_.memory.read_object<SizeLinks>(chunk + kNextSizeLink);
    if (!links) {
      is_damaged_ = true;  // what cannot be read is only missing, and so is the end of the ring
      return;
    }
    if (!is_first) {
      if (links->next != 0) damage(chunk + kNextSizeLink, kNext, Address{links->next}, Address{});
      return;
    }
    if (first_of_size_) {
      expect_next(chunk);
      expect_previous(chunk, links->previous, latest_of_size_);
    } else {
      first_of_size_ = chunk;
      last_of_size_ = links->previous;
    }
    latest_of_size_ = chunk;
    next_of_size_ = links->next;
  }
  void close_sizes(Address first) {
    expect_next(first);
    expect_previous(first, last_of_size_, latest_of_size_);
  }
  void expect_next(Address chunk) {
    if (Address{next_of_size_} == chunk) return;
    damage(latest_of_size_ + kNextSizeLink, kNext, Address{next_of_size_}, chunk);
  }
  void expect_previous(Address chunk, std::uint64_t link, Address expected) {
    if (Address{link} == expected) return;
    damage(chunk + kPreviousSizeLink, "back link to another size of a free chunk", Address{link},
           expected);
  }

  static constexpr std::string_view kNext = "link to another size of a free chunk";

  GlibcDecoder& decoder_;
  std::size_t number_;
  std::uint64_t most_;
  Address head_;
  Address before_;
  std::optional<Address> at_;
  HeapBin bin_;
  bool is_damaged_ = false;
  Bytes size_;                            // of the chunk before
  std::optional<Address> first_of_size_;  // the first of all those that are
  std::uint64_t last_of_size_ = 0;        // its back link
  Address latest_of_size_;
  std::uint64_t next_of_size_ = 0;  // its link
};

/// One fast bin: singly linked, so a loop shows only by a chunk that comes once more.
class FastbinList {
 public:
  FastbinList(GlibcDecoder& decoder, std::uint32_t arena, std::size_t index)
      : decoder_(decoder),
        chunk_size_{(index + 2) * model::kChunkAlignment.count},
        most_(decoder.most_chunks(arena)),
        from_(decoder.heap.arenas[arena].address +
              Bytes{decoder.layout.top - 8 * (decoder.layout.fastbins - index)}),
        at_(decoder.pointer_at(from_)),
        bin_{
            .use = PieceUse::kFastbin, .arena = arena, .index = static_cast<std::uint32_t>(index)} {
  }

  /// Takes one chunk; false where there is none any more.
  bool step() {
    if (!at_ || *at_ == Address{} || bin_.pieces >= most_) return false;
    if (decoder_.may_be_elsewhere(bin_.arena, *at_)) return false;
    const bool is_ours = is_chunk_aligned(*at_) && decoder_.arena_of(*at_) == bin_.arena;
    const auto chunk = is_ours ? decoder_.memory.read_object<FastChunk>(*at_) : std::nullopt;
    if (!chunk || chunk->header.size() != chunk_size_) {
      return end_damaged(*at_,
                         fmt::format("a chunk of {} in the arena", format_bytes(chunk_size_)));
    }
    const Address link = *at_ + kForwardLink;
    const Address next = decoder_.link_from(chunk->forward, link);
    decoder_.memory.fetch(next);
    if (decoder_.listed.find(*at_) == PieceUse::kFastbin) {
      return end_damaged(*at_, "a chunk that is not in the list already: the list is a loop",
                         model::DamageKind::kTwice);
    }
    decoder_.list(*at_, PieceUse::kFastbin);
    count(bin_, chunk_size_);
    from_ = link;
    at_ = next;
    return true;
  }

  /// To be called once, after the last step.
  void finish() {
    if (bin_.pieces != 0) decoder_.heap.bins.push_back(bin_);
  }

 private:
  struct FastChunk {
    ChunkHeader header;
    std::uint64_t forward = 0;
  };

  bool end_damaged(Address found, std::string expected,
                   model::DamageKind kind = model::DamageKind::kField) {
    decoder_.damages.add(from_, "link of a fast bin", format_address(found), std::move(expected),
                         kind);
    return false;
  }

  GlibcDecoder& decoder_;
  Bytes chunk_size_;
  std::uint64_t most_;
  Address from_;  // where the link to at_ is
  std::optional<Address> at_;
  HeapBin bin_;
};

/// By turns: a list alone would wait for memory at each step, since only a chunk tells where the
/// next one is; of several lists, each waits while the others go on.
template <typename List>
void follow(std::vector<List>& lists) {
  std::vector<List*> going;
  for (List& list : lists) going.push_back(&list);
  while (!going.empty()) {
    std::erase_if(going, [](List* list) { return !list->step(); });
  }
  for (List& list : lists) list.finish();
}

}  // namespace

void read_bins(GlibcDecoder& decoder) {
  for (std::uint32_t arena = 0; arena < decoder.heap.arenas.size(); ++arena) {
    std::vector<FastbinList> fastbins;
    for (std::size_t i = 0; i < decoder.layout.fastbins; ++i) {
      fastbins.emplace_back(decoder, arena, i);
    }
    follow(fastbins);
    std::vector<BinList> bins;
    for (std::size_t number = 1; number < kBinsCount; ++number) {
      bins.emplace_back(decoder, arena, number);
    }
    follow(bins);
  }
}

}  // namespace mini::heaps
