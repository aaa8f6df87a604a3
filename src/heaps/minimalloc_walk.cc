// docs/minimalloc-layout.md, "Reading it", steps 5 and 7: the pages of the heap by the page map,
// each slab and large block by its record, each block by its bit and by who has it.
#include <algorithm>
#include <fmt/format.h>

#include "base/text.h"
#include "heaps/minimalloc_decoder.h"

namespace mini::heaps {
namespace {

using model::HeapPiece;
using model::PieceUse;

/// Pages with one use. What was checked of a span's record stands here: it is read again later,
/// and a process that runs on may have changed it.
struct Run {
  enum class Kind : std::uint8_t { kFree, kSlab, kLarge, kUnknown };
  std::uint64_t first = 0;
  std::uint64_t count = 0;
  std::uint32_t span = 0;
  Kind kind = Kind::kFree;
  std::uint8_t size_class = 0;    // of a slab
  std::uint16_t block_count = 0;  // the same
};

/// An array of the target's, read by windows.
class PageMapWindow {
 public:
  explicit PageMapWindow(const MinimallocDecoder& decoder) : decoder_(decoder) {}

  /// nullopt where it cannot be read.
  std::optional<std::uint16_t> at(std::uint64_t page) {
    if (page < begin_ || page - begin_ >= entries_.size()) fill(page);
    if (entries_.empty()) return std::nullopt;
    return entries_[page - begin_];
  }

 private:
  static constexpr std::uint64_t kEntries = 1 << 15;

  void fill(std::uint64_t page) {
    begin_ = page;
    entries_.resize(std::min(kEntries, decoder_.page_count - page));
    const auto bytes = std::as_writable_bytes(std::span(entries_));
    entries_.resize(decoder_.memory.read(decoder_.page_map + Bytes{2 * page}, bytes) / 2);
  }

  const MinimallocDecoder& decoder_;
  std::uint64_t begin_ = 0;
  std::vector<std::uint16_t> entries_;
};

/// Whether pages are part of a span, or none of the heap's.
class UsedBits {
 public:
  explicit UsedBits(const MinimallocDecoder& decoder) : decoder_(decoder) {}

  bool at(std::uint64_t page) {
    if (page / 64 != number_) {
      number_ = page / 64;
      const std::uint64_t first = number_ * 64;
      const std::uint64_t extent = first / decoder_.table.extent_pages;
      const std::uint64_t within = first % decoder_.table.extent_pages / 64;
      word_ = decoder_.pages
                  .read_object<std::uint64_t>(decoder_.extents +
                                              Bytes{extent * decoder_.table.extent.stride +
                                                    decoder_.table.extent.used + within * 8})
                  .value_or(UINT64_MAX);
    }
    return (word_ >> (page % 64) & 1) != 0;
  }

 private:
  const MinimallocDecoder& decoder_;
  std::uint64_t number_ = UINT64_MAX;
  std::uint64_t word_ = 0;
};

/// A record of a slab or large block, read once.
class SpanRecord {
 public:
  SpanRecord(const minimalloc_span_layout& layout, std::vector<std::byte> bytes)
      : layout_(layout), bytes_(std::move(bytes)) {}

  std::uint8_t kind() const { return field_of<std::uint8_t>(bytes_, layout_.kind); }
  std::uint64_t first_page() const { return field_of<std::uint32_t>(bytes_, layout_.first_page); }
  std::uint64_t page_count() const { return field_of<std::uint32_t>(bytes_, layout_.page_count); }
  std::uint32_t heap() const { return field_of<std::uint16_t>(bytes_, layout_.heap); }
  std::uint8_t size_class() const { return field_of<std::uint8_t>(bytes_, layout_.size_class); }
  std::uint16_t block_count() const { return field_of<std::uint16_t>(bytes_, layout_.block_count); }
  bool is_free(std::uint64_t block) const {
    const auto word = field_of<std::uint64_t>(bytes_, layout_.free_bits + block / 64 * 8);
    return (word >> (block % 64) & 1) != 0;
  }

 private:
  const minimalloc_span_layout& layout_;
  std::vector<std::byte> bytes_;
};

std::optional<SpanRecord> read_span(const MinimallocDecoder& decoder, std::uint64_t id) {
  const minimalloc_span_layout& layout = decoder.table.span;
  std::vector<std::byte> bytes(layout.stride);
  const Address at = decoder.spans + Bytes{id * layout.stride};
  if (decoder.pages.read(at, bytes) != bytes.size()) return std::nullopt;
  return SpanRecord(layout, std::move(bytes));
}

// ── What each page is ────────────────────────────────────────────────────────────────────────────

class PageWalk {
 public:
  explicit PageWalk(MinimallocDecoder& decoder)
      : decoder_(decoder), map_(decoder), used_(decoder) {}

  /// Of the heap's pages all that are mapped and the heap's, by address.
  std::vector<Run> runs() {
    for (const AddressRange& range : mapped_parts()) {
      end_ = (range.end - decoder_.window.begin).count >> decoder_.table.page_shift;
      std::uint64_t page = (range.begin - decoder_.window.begin).count >> decoder_.table.page_shift;
      while (page < end_) page = take(page);
    }
    return std::move(runs_);
  }

 private:
  /// Mappings that touch are one part: the kernel splits them where advice differs.
  std::vector<AddressRange> mapped_parts() const {
    const AddressRange& window = decoder_.window;
    std::vector<AddressRange> parts;
    for (const AddressRange& mapping : decoder_.target.writable) {
      if (!mapping.overlaps(window)) continue;
      const AddressRange part{std::max(mapping.begin, window.begin),
                              std::min(mapping.end, window.end)};
      if (!parts.empty() && parts.back().end == part.begin) {
        parts.back().end = part.end;
      } else {
        parts.push_back(part);
      }
    }
    return parts;
  }

  /// Returns the page after what is at `page`.
  std::uint64_t take(std::uint64_t page) {
    const auto entry = map_.at(page);
    if (!entry) {
      decoder_.damages.add(decoder_.page_map + Bytes{2 * page},
                           fmt::format("page map from page {} on", page), "unreadable",
                           "an entry for each page of the heap");
      return end_;
    }
    if (*entry != 0) return take_span(page, *entry);
    return used_.at(page) ? take_cached(page) : take_free(page);
  }

  /// The page map names neither blocks that were freed and kept whole nor pages that are not the
  /// heap's.
  std::uint64_t take_cached(std::uint64_t page) {
    const auto span = record_at(page).second;
    const bool is_cached = span && span->kind() == MINIMALLOC_SPAN_CACHED &&
                           span->first_page() == page && span->page_count() != 0 &&
                           span->page_count() <= end_ - page;
    if (!is_cached) return page + 1;
    decoder_.found.cached_pages += span->page_count();
    runs_.push_back({.first = page, .count = span->page_count()});
    return page + span->page_count();
  }

  /// The record that a span which begins at `page` has, and its number.
  std::pair<std::uint32_t, std::optional<SpanRecord>> record_at(std::uint64_t page) const {
    const auto id =
        decoder_.pages.read_object<std::uint32_t>(decoder_.span_ids + Bytes{4 * page}).value_or(0);
    if (id == 0 || id >= decoder_.span_end) return {0, std::nullopt};
    return {id, read_span(decoder_, id)};
  }

  std::uint64_t take_free(std::uint64_t page) {
    std::uint64_t end = page + 1;
    while (end < end_ && map_.at(end) == 0 && !used_.at(end)) ++end;
    runs_.push_back({.first = page, .count = end - page});
    return end;
  }

  std::uint64_t take_span(std::uint64_t page, std::uint16_t entry) {
    const auto [id, span] = record_at(page);
    const std::string wrong = span ? what_is_wrong(*span, page, entry) : "in no record of a span";
    if (!span || !wrong.empty()) {
      decoder_.damages.add(
          decoder_.page_map + Bytes{2 * page},
          fmt::format("entry of page {} at {}", page, format_address(decoder_.page(page))),
          fmt::format("{:#x}, {}", entry, wrong), "what the record of its span says");
      runs_.push_back({.first = page, .count = 1, .kind = Run::Kind::kUnknown});
      return page + 1;
    }
    const bool is_slab = span->kind() == MINIMALLOC_SPAN_SLAB;
    runs_.push_back({.first = page,
                     .count = span->page_count(),
                     .span = id,
                     .kind = is_slab ? Run::Kind::kSlab : Run::Kind::kLarge,
                     .size_class = span->size_class(),
                     .block_count = span->block_count()});
    return page + span->page_count();
  }

  /// "" where the record and the entry agree.
  std::string what_is_wrong(const SpanRecord& span, std::uint64_t page, std::uint16_t entry) const {
    const std::uint32_t code = entry & 0xffU;
    if (span.first_page() != page)
      return fmt::format("whose span is at page {}", span.first_page());
    if (span.page_count() == 0 || span.page_count() > end_ - page) {
      return fmt::format("whose span has {} pages", span.page_count());
    }
    if (code == decoder_.table.page_code_large) {
      const bool is_large =
          span.kind() == MINIMALLOC_SPAN_LARGE || span.kind() == MINIMALLOC_SPAN_GROWING;
      return is_large ? "" : fmt::format("whose span is of kind {}", span.kind());
    }
    if (span.kind() != MINIMALLOC_SPAN_SLAB) {
      return fmt::format("whose span is of kind {}", span.kind());
    }
    const bool is_own = span.heap() != 0;
    const std::uint32_t expected =
        span.size_class() + (is_own ? decoder_.table.page_code_own_heap : 0);
    if (entry != expected) return fmt::format("whose slab is of class {}", span.size_class());
    const std::uint64_t bytes = span.size_class() < decoder_.class_bytes.size()
                                    ? decoder_.class_bytes[span.size_class()]
                                    : 0;
    const std::uint64_t room = span.page_count() << decoder_.table.page_shift;
    if (bytes == 0 || span.block_count() > decoder_.table.slab_most ||
        span.block_count() * bytes > room) {
      return fmt::format("whose slab has {} blocks of {} bytes in {}", span.block_count(), bytes,
                         room);
    }
    return "";
  }

  MinimallocDecoder& decoder_;
  PageMapWindow map_;
  UsedBits used_;
  std::uint64_t end_ = 0;  // of the part that is walked
  std::vector<Run> runs_;
};

// ── What each block is ───────────────────────────────────────────────────────────────────────────

class BlockWalk {
 public:
  BlockWalk(MinimallocDecoder& decoder, model::PieceSink& sink)
      : decoder_(decoder), sink_(sink), next_listed_(decoder.listed.begin()) {}

  void emit(const std::vector<Run>& runs) {
    for (std::size_t i = 0; i < runs.size();) {
      std::size_t end = i + 1;
      while (end < runs.size() && runs[end - 1].first + runs[end - 1].count == runs[end].first) {
        ++end;
      }
      const AddressRange range{decoder_.page(runs[i].first),
                               decoder_.page(runs[end - 1].first + runs[end - 1].count)};
      decoder_.begin_region(range, sink_);
      for (; i < end; ++i) emit(runs[i]);
      sink_.end_region();
    }
    tell_of_the_rest();
  }

 private:
  void emit(const Run& run) {
    const AddressRange range{decoder_.page(run.first), decoder_.page(run.first + run.count)};
    const auto span = run.span != 0 ? read_span(decoder_, run.span) : std::nullopt;
    if (run.kind == Run::Kind::kSlab && span) {
      emit_slab(run, *span, range);
    } else if (run.kind == Run::Kind::kLarge && span) {
      ++decoder_.found.large_blocks;
      decoder_.found.large_pages += run.count;
      put(range, PieceUse::kLive, arena_of(span->heap()));
    } else {
      put(range, run.kind == Run::Kind::kFree ? PieceUse::kFreePages : PieceUse::kUnknown, 0);
    }
  }

  void emit_slab(const Run& run, const SpanRecord& span, AddressRange range) {
    const Bytes bytes{decoder_.class_bytes[run.size_class]};
    const std::uint64_t count = run.block_count;
    const std::uint32_t arena = arena_of(span.heap());
    ++decoder_.found.slabs;
    decoder_.found.slab_pages += range.size().count >> decoder_.table.page_shift;
    decoder_.found.blocks += count;
    Address at = range.begin;
    for (std::uint64_t i = 0; i < count; ++i, at = at + bytes) {
      const AddressRange block{at, at + bytes};
      const PieceUse use = use_of(block, span.is_free(i), arena, run.size_class);
      put(block, use, arena);
    }
    put({at, range.end}, PieceUse::kSlabRest, arena);
  }

  /// Who has a block, which is counted.
  PieceUse use_of(AddressRange range, bool is_free, std::uint32_t arena, std::uint32_t size_class) {
    const ListedBlock* const listed = take_listed(range.begin);
    PieceUse use = PieceUse::kLive;
    std::uint32_t cache = ListedBlock::kDepot;
    if (is_free) {
      use = PieceUse::kSlab;
      if (listed != nullptr && decoder_.target.is_still) {
        decoder_.damages.add(range.begin, fmt::format("block at {}", format_address(range.begin)),
                             "free in its slab and in a cache or depot", "in one of them");
      }
    } else {
      ++decoder_.found.blocks_out;
      if (listed != nullptr) {
        cache = listed->cache;
        use = cache == ListedBlock::kDepot ? PieceUse::kDepot : PieceUse::kCached;
      }
    }
    if (use != PieceUse::kLive) count_in_bin(use, arena, cache, size_class, range.size());
    return use;
  }

  void count_in_bin(PieceUse use, std::uint32_t arena, std::uint32_t cache,
                    std::uint32_t size_class, Bytes size) {
    model::HeapBin& bin = decoder_.bins[{use, arena, cache, size_class}];
    bin.use = use;
    bin.arena = arena;
    bin.index = size_class;
    bin.least_size = size;
    bin.most_size = size;
    ++bin.pieces;
    bin.size += size;
    if (use != PieceUse::kCached) return;
    bin.cache = cache;
    ++decoder_.heap.caches[cache].pieces;
    decoder_.heap.caches[cache].size += size;
  }

  void put(AddressRange range, PieceUse use, std::uint32_t arena) {
    if (range.empty()) return;
    const Bytes header = use == PieceUse::kSlabRest ? range.size() : Bytes{};
    sink_.piece({.range = range, .use = use, .arena = arena, .header = header});
  }

  std::uint32_t arena_of(std::uint32_t heap) const {
    const auto found = decoder_.arena_of_heap.find(heap);
    return found != decoder_.arena_of_heap.end() ? found->second : 0;
  }

  const ListedBlock* take_listed(Address block) {
    while (next_listed_ != decoder_.listed.end() && next_listed_->block < block) ++next_listed_;
    if (next_listed_ == decoder_.listed.end() || next_listed_->block != block) return nullptr;
    next_listed_->found = true;
    return &*next_listed_;
  }

  void tell_of_the_rest() {
    for (const ListedBlock& listed : decoder_.listed) {
      if (listed.found || !decoder_.target.is_still) continue;
      decoder_.damages.add(
          listed.block,
          listed.cache == ListedBlock::kDepot ? "block in a depot" : "block in a thread's cache",
          format_address(listed.block), "the begin of a block of a slab");
    }
  }

  MinimallocDecoder& decoder_;
  model::PieceSink& sink_;
  std::vector<ListedBlock>::iterator next_listed_;
};

}  // namespace

void survey_pages(MinimallocDecoder& decoder) {
  PageWalk(decoder).runs();
}

void walk_pages(MinimallocDecoder& decoder, model::PieceSink& sink) {
  BlockWalk(decoder, sink).emit(PageWalk(decoder).runs());
}

}  // namespace mini::heaps
