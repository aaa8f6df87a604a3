// The summary, the findings and the answer about one address; the tables are in inspect_tables.cc.
#include <algorithm>
#include <fmt/format.h>
#include <span>

#include "base/text.h"
#include "explain/memory_ledger.h"
#include "views/event_facts.h"
#include "views/flow.h"
#include "views/inspect_parts.h"
#include "views/report_text.h"
#include "views/report_view.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

using model::HeapPiece;
using model::Inspection;
using model::PieceUse;

constexpr std::size_t kLabelColumn = 2;
constexpr std::size_t kValueColumn = 16;
constexpr std::uint64_t kLongPauseNs = 50'000'000;  // from there on it is said why

class Lines {
 public:
  Lines(std::string& out, const TextStyle& style) : out_(out), style_(style) {}
  void line(std::string_view label, std::string_view value, std::string_view tag = "") {
    Flow flow(out_, style_, kValueColumn);
    flow.column(kLabelColumn).put(Ink::kStrong, label).column(kValueColumn).put(value);
    if (!tag.empty()) flow.right(Ink::kDim, tag);
    flow.end_line();
  }

 private:
  std::string& out_;
  const TextStyle& style_;
};

std::string whose(const Inspection& inspection) {
  const std::string_view name = path_basename(inspection.executable);
  const bool is_core = inspection.source == Inspection::Source::kCore;
  return fmt::format("{} ({}{})", name.empty() ? "?" : name, is_core ? "core of " : "",
                     inspection.pid);
}

std::string pause_words(const Inspection& inspection) {
  if (inspection.source == Inspection::Source::kCore) {
    if (!inspection.end) return "a core file: it is as it was when that was written";
    const model::CoreEnd& end = *inspection.end;
    return fmt::format("a core file: {}{} ended it in thread {}", signal_name(end.signal),
                       end.sender ? fmt::format(" of process {}", *end.sender) : "", end.thread);
  }
  if (inspection.pause_ns == 0) return "not stopped: what changed meanwhile may not fit together";
  const std::string time = report_time(inspection.pause_ns);
  std::string stopped =
      fmt::format("stopped {}, {}",
                  inspection.heap_readings == 1
                      ? "for " + time
                      : fmt::format("{} times, for {} in all", inspection.heap_readings, time),
                  counted(inspection.threads.size(), "thread"));
  const std::string misfits =
      counted(inspection.heap ? inspection.heap->damages_count : 0, "place") +
      " did not fit together";
  if (inspection.heap_reading == model::HeapReading::kTooLarge) {
    return fmt::format(
        "{}: the heap's {} are more than the {} that are copied, and were read as it ran on; {}. "
        "--max-copy {}G copies them, in as much memory of heapspy's",
        stopped, format_bytes(inspection.heap_to_read), format_bytes(inspection.most_copied),
        misfits, inspection.heap_to_read.count / kGiB.count + 1);
  }
  const Bytes left = inspection.heap_to_read - inspection.heap_in_pause;
  if (left != Bytes{}) {
    return fmt::format("{}: {} of the heap's {} were copied, {} read as it ran on; {}", stopped,
                       format_bytes(inspection.heap_in_pause),
                       format_bytes(inspection.heap_to_read), format_bytes(left), misfits);
  }
  if (inspection.lost) {
    return fmt::format("{}, to search it for what leads to its blocks", stopped);
  }
  if (inspection.pause_ns > kLongPauseNs && inspection.heap_to_read != Bytes{}) {
    return fmt::format("{}, to copy {} of the heap; --max-pause MS bounds it", stopped,
                       format_bytes(inspection.heap_to_read));
  }
  return stopped;
}

void write_heap_lines(Lines& lines, const Inspection& inspection) {
  if (!inspection.heap) {
    lines.line("heap", fmt::format("none: {}", inspection.no_heap_because));
    return;
  }
  const model::Heap& heap = *inspection.heap;
  const HeapSums sums = heap_sums(inspection.account);
  lines.line("heap", fmt::format("{}{}{}, {}, {}, found by its {}", heap.allocator,
                                 heap.version.empty() ? "" : " ", heap.version,
                                 counted(heap.arenas.size(), "arena"),
                                 counted(heap.caches.size(), "thread cache"), heap.found_by));
  lines.line("live",
             fmt::format("{} in {}", format_bytes(sums.live), counted(sums.live_blocks, "block")),
             "measured");
  lines.line("free",
             fmt::format("{}: {} in bins, {} in thread caches, {} at the top",
                         format_bytes(sums.free + sums.cached + sums.top), format_bytes(sums.free),
                         format_bytes(sums.cached), format_bytes(sums.top)),
             "measured");
  lines.line("can go back",
             fmt::format("{} by malloc_trim(0); {} free beside it in pages with blocks in use",
                         format_bytes(inspection.account.returnable),
                         format_bytes(inspection.account.pinned)),
             "derived");
}

void write_summary(std::string& out, const Inspection& inspection, const InspectOptions& options) {
  write_heading(out, options.style, "Memory", whose(inspection));
  Lines lines(out, options.style);
  if (!inspection.executable.empty()) lines.line("program", inspection.executable);
  if (inspection.resident) {
    lines.line("resident", format_bytes_exact(*inspection.resident), "measured");
  }
  lines.line("mapped", format_bytes(inspection.mapped), "measured");
  if (inspection.resident) {
    const std::string pool_pages =
        inspection.pool_pages == Bytes{}
            ? ""
            : fmt::format(", {} in huge pages of the pool", format_bytes(inspection.pool_pages));
    lines.line("beside it",
               fmt::format("{} swapped out, {} of page tables{}", format_bytes(inspection.swapped),
                           format_bytes(inspection.page_tables), pool_pages),
               "measured");
  }
  write_heap_lines(lines, inspection);
  lines.line("read", pause_words(inspection));
  for (const std::string& loss : inspection.losses) lines.line("missing", loss);
}

/// Further damage; the first is part of the finding.
void write_damages(std::string& out, const Inspection& inspection, const InspectOptions& options) {
  if (!inspection.heap || inspection.heap->damages.size() < 2) return;
  const auto& damages = inspection.heap->damages;
  write_heading(out, options.style, "What does not fit together",
                counted(inspection.heap->damages_count, "place"));
  constexpr std::size_t kWordsColumn = 18;
  const std::size_t shown = std::min(damages.size(), options.top);
  for (const model::HeapDamage& damage : std::span(damages).first(shown)) {
    Flow(out, options.style, kWordsColumn)
        .column(kLabelColumn)
        .put(format_address(damage.where))
        .column(kWordsColumn)
        .put(fmt::format("{}: {}; it should be {}", damage.field, damage.found, damage.expected))
        .end_line();
  }
  const std::uint64_t rest = inspection.heap->damages_count - shown;
  if (rest == 0) return;
  Flow(out, options.style, kWordsColumn)
      .column(kLabelColumn)
      .put(fmt::format("{} more", format_count(rest)))
      .end_line();
}

// ── Around an address ────────────────────────────────────────────────────────────────────────────

/// "a free chunk of 48 bytes in a small bin": what a piece is, before and behind its size.
struct UseWords {
  std::string_view what;
  std::string_view where{};
};

UseWords use_words(PieceUse use) {
  switch (use) {
    case PieceUse::kLive:
      return {"a live block"};
    case PieceUse::kCached:
      return {"a free block", " in a thread's cache"};
    case PieceUse::kFastbin:
      return {"a free chunk", " in a fast bin"};
    case PieceUse::kUnsorted:
      return {"a free chunk", " in the unsorted bin"};
    case PieceUse::kSmallbin:
      return {"a free chunk", " in a small bin"};
    case PieceUse::kLargebin:
      return {"a free chunk", " in a large bin"};
    case PieceUse::kSlab:
      return {"a free block", " in its slab"};
    case PieceUse::kDepot:
      return {"a free block", " between one thread's cache and the next"};
    case PieceUse::kFreePages:
      return {"free pages"};
    case PieceUse::kTop:
      return {"the top chunk", ", the free end of the arena,"};
    case PieceUse::kAllocator:
      return {"a stretch", " of the allocator's own"};
    case PieceUse::kSlabRest:
      return {"a slab's end", ", too short for a block,"};
    case PieceUse::kForeign:
      return {"a stretch", ", got by moving the break, not by malloc,"};
    case PieceUse::kUnknown:
      return {"a stretch", " behind damage, where nothing can be told,"};
  }
  return {};
}

std::string piece_words(const HeapPiece& piece) {
  const UseWords words = use_words(piece.use);
  return fmt::format("{} of {}{} at {}", words.what, format_bytes_exact(piece.range.size()),
                     words.where, format_address(piece.range.begin));
}

/// "60 bytes into what malloc returned, 0x…".
std::string position_words(const model::Heap& heap, const HeapPiece& piece, Address address) {
  if (piece.use != PieceUse::kLive && piece.use != PieceUse::kCached) {
    return fmt::format("{} into it", format_bytes((address - piece.range.begin)));
  }
  if (address < piece.user())
    return fmt::format("in its header; malloc returned {}", format_address(piece.user()));
  const bool is_own = heap.allocator == "libminimalloc" && piece.arena != 0;
  return fmt::format("{} into what {} returned, {}", format_bytes(address - piece.user()),
                     is_own ? "minimalloc_heap_malloc" : "malloc", format_address(piece.user()));
}

void write_mapping(Lines& lines, const Inspection& inspection, Address address) {
  for (const model::MemoryRegion& region : inspection.regions) {
    const model::Mapping& mapping = region.mapping;
    if (!mapping.range.contains(address)) continue;
    lines.line(
        "kernel",
        fmt::format("in the mapping {} {}{}{}, {} of {} resident", format_range(mapping.range),
                    model::format_protection(mapping.protection), mapping.path.empty() ? "" : " ",
                    mapping.path, format_bytes(region.resident),
                    format_bytes(mapping.range.size())));
    return;
  }
  lines.line("kernel", "in no mapping: a program that touches it gets SIGSEGV");
}

void write_around(std::string& out, const Inspection& inspection, const model::PieceQuery& query,
                  Address address, const InspectOptions& options) {
  write_heading(out, options.style, fmt::format("Address {}", format_address(address)),
                whose(inspection));
  Lines lines(out, options.style);
  const auto& place = query.place();
  if (!place || !inspection.heap) {
    lines.line("program", "in no block");
    lines.line("allocator", inspection.heap
                                ? "in no arena and no mmapped chunk"
                                : fmt::format("not known: {}", inspection.no_heap_because));
  } else {
    const HeapPiece& piece = place->piece;
    lines.line("program", fmt::format("in {}, {}", piece_words(piece),
                                      position_words(*inspection.heap, piece, address)));
    const std::string arena = explain::arena_name(inspection, piece.arena);
    std::string beside;
    if (place->before) beside += fmt::format("; before it {}", piece_words(*place->before));
    if (place->after) beside += fmt::format("; behind it {}", piece_words(*place->after));
    lines.line("allocator", fmt::format("in {} {}{}", arena, format_range(place->part), beside));
  }
  write_mapping(lines, inspection, address);
}

}  // namespace

HeapSums heap_sums(const model::HeapAccount& account) {
  const model::TotalsByUse totals = account.total();
  HeapSums sums;
  for (std::size_t i = 0; i < model::kPieceUseCount; ++i) {
    const auto use = static_cast<PieceUse>(i);
    const model::PieceTotals& total = totals.at(i);
    sums.overhead += total.header;
    if (use == PieceUse::kLive) {
      sums.live += total.size - total.header;
      sums.live_blocks += total.pieces;
    }
    if (model::is_binned(use)) sums.free += total.size;
    if (use == PieceUse::kCached) sums.cached += total.size;
    if (use == PieceUse::kTop) sums.top += total.size;
    if (use == PieceUse::kForeign) sums.foreign += total.size;
    if (use == PieceUse::kUnknown) sums.unknown += total.size;
  }
  return sums;
}

void write_inspection(std::string& out, const Inspection& inspection,
                      std::span<const explain::Finding> findings, const model::PieceQuery& query,
                      const InspectOptions& options) {
  if (options.around) {
    write_around(out, inspection, query, *options.around, options);
    return;
  }
  if (options.show_pieces) {
    write_inspect_pieces(out, inspection, query, options);
    return;
  }
  write_summary(out, inspection, options);
  if (options.trim) write_inspect_trim(out, *options.trim, options);
  if (options.map != nullptr) write_inspect_map(out, inspection, *options.map, options);
  if (options.show_lost) write_inspect_lost(out, inspection, options);
  if (options.map != nullptr || options.show_lost) return;
  write_report_findings(out, findings, options.style);
  write_damages(out, inspection, options);
  write_inspect_ledger(out, inspection, options);
  write_inspect_arenas(out, inspection, options);
  write_inspect_pins(out, inspection, options);
  write_inspect_bins(out, inspection, options);
  write_inspect_sizes(out, inspection, options);
}

}  // namespace mini::views
