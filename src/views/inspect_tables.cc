// The tables of an inspection.
#include <algorithm>
#include <cmath>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/memory_ledger.h"
#include "views/flow.h"
#include "views/inspect_view.h"
#include "views/place_table.h"
#include "views/report_text.h"
#include "views/terminal_heading.h"
#include "views/text_table.h"

namespace mini::views {
namespace {

using model::Inspection;
using model::MemoryKind;
using model::MemoryRow;
using model::PieceTotals;
using model::PieceUse;
using Align = TextTable::Align;

constexpr std::uint32_t kBarColumns = 20;

std::string kind_words(MemoryKind kind) {
  switch (kind) {
    case MemoryKind::kLiveBlocks:
    case MemoryKind::kMmappedBlocks:
      return "live blocks";
    case MemoryKind::kCachedBlocks:
      return "free, thread caches";
    case MemoryKind::kFreeInBins:
      return "free, bins";
    case MemoryKind::kFreeTop:
      return "free, top";
    case MemoryKind::kAllocatorOverhead:
      return "allocator's own";
    case MemoryKind::kForeignBreak:
      return "sbrk by others";
    case MemoryKind::kUnknownHeap:
      return "behind damage";
    case MemoryKind::kHeapRest:
      return "rest of heap mappings";
    case MemoryKind::kMainStack:
      return "main stack";
    case MemoryKind::kThreadStack:
      return "stack";
    case MemoryKind::kProgramFile:
      return "file";
    case MemoryKind::kSharedMemory:
      return "shared memory";
    case MemoryKind::kOtherAnonymous:
      return "other anonymous";
    case MemoryKind::kKernel:
      return "kernel";
    case MemoryKind::kAgent:
      return "heapspy's own";
    case MemoryKind::kRemainder:
      return "remainder";
  }
  return "";
}

std::string signed_bytes(std::int64_t bytes) {
  const std::string text = format_bytes(Bytes{static_cast<std::uint64_t>(std::abs(bytes))});
  return bytes < 0 ? "-" + text : text;
}

const PieceTotals& of(const model::TotalsByUse& totals, PieceUse use) {
  return totals.at(static_cast<std::size_t>(use));
}

Bytes in_bins(const model::TotalsByUse& totals) {
  Bytes sum;
  for (std::size_t use = 0; use < model::kPieceUseCount; ++use) {
    if (model::is_binned(static_cast<PieceUse>(use))) sum += totals.at(use).size;
  }
  return sum;
}

std::string size_range(Bytes least, Bytes most) {
  return least == most ? format_count(least.count)
                       : fmt::format("{}-{}", format_count(least.count), format_count(most.count));
}

}  // namespace

void write_inspect_ledger(std::string& out, const Inspection& inspection,
                          const InspectOptions& options) {
  const bool is_resident = inspection.resident.has_value();
  const auto& rows = is_resident ? inspection.resident_ledger : inspection.mapped_ledger;
  const Bytes whole = is_resident ? *inspection.resident : inspection.mapped;
  write_heading(out, options.style, is_resident ? "Resident memory" : "Mapped memory",
                "what it is, and whose");
  PlaceTable table({"bytes", "share", ""}, "what");
  const auto add = [&](std::int64_t bytes, std::string_view tag, const std::string& what) {
    table.add_row({signed_bytes(bytes),
                   format_percent(static_cast<double>(bytes), static_cast<double>(whole.count)),
                   std::string(tag)},
                  what, {});
  };
  for (std::size_t i = 0; i < rows.size();) {
    std::size_t end = i;
    while (end < rows.size() && rows[end].kind == rows[i].kind) ++end;
    const std::size_t shown = i + std::min(end - i, options.top);
    for (std::size_t row = i; row < shown; ++row) {
      const MemoryRow& one = rows[row];
      add(one.bytes, model::figure_tag_name(one.tag),
          one.owner.empty() ? kind_words(one.kind)
                            : fmt::format("{}: {}", kind_words(one.kind), one.owner));
    }
    std::int64_t rest = 0;
    model::FigureTag tag = model::FigureTag::kMeasured;
    for (std::size_t row = shown; row < end; ++row) {
      rest += rows[row].bytes;
      tag = std::max(tag, rows[row].tag);
    }
    if (shown < end) {
      add(rest, model::figure_tag_name(tag),
          fmt::format("{}: {} more", kind_words(rows[i].kind), format_count(end - shown)));
    }
    i = end;
  }
  add(static_cast<std::int64_t>(whole.count), "measured",
      is_resident ? "all: what the kernel says (VmRSS)" : "all");
  table.write(out, options.style);
}

void write_inspect_arenas(std::string& out, const Inspection& inspection,
                          const InspectOptions& options) {
  if (!inspection.heap || inspection.heap->arenas.empty()) return;
  const auto& arenas = inspection.heap->arenas;
  write_heading(out, options.style, "Arenas", counted(arenas.size(), "arena"));
  TextTable table;
  for (const char* title : {"arena", "threads", "system", "live", "cached", "in bins", "top"}) {
    table.add_column(title, title == std::string_view("arena") ? Align::kLeft : Align::kRight);
  }
  const std::size_t shown = std::min(arenas.size(), options.top);
  for (std::uint32_t i = 0; i < shown; ++i) {
    const model::TotalsByUse& totals = inspection.account.by_arena[i];
    const model::HeapArena& arena = arenas[i];
    table.add_row({explain::arena_name(inspection, i),
                   arena.attached_threads ? format_count(*arena.attached_threads) : "-",
                   format_bytes(arena.system), format_bytes(of(totals, PieceUse::kLive).size),
                   format_bytes(of(totals, PieceUse::kCached).size), format_bytes(in_bins(totals)),
                   format_bytes(of(totals, PieceUse::kTop).size)});
  }
  if (shown < arenas.size())
    table.add_row({fmt::format("{} more", format_count(arenas.size() - shown))});
  table.write(out, options.style);
}

void write_inspect_bins(std::string& out, const Inspection& inspection,
                        const InspectOptions& options) {
  if (!inspection.heap || inspection.heap->bins.empty()) return;
  std::vector<model::HeapBin> bins = inspection.heap->bins;
  std::ranges::stable_sort(bins, std::ranges::greater(), &model::HeapBin::size);
  const std::size_t shown = std::min(bins.size(), options.top);
  write_heading(out, options.style, "Bins", "the largest " + shown_of(shown, bins.size(), "list"));
  TextTable table;
  table.add_column("list", Align::kLeft);
  table.add_column("of", Align::kLeft);
  table.add_column("chunk sizes", Align::kRight);
  table.add_column("chunks", Align::kRight);
  table.add_column("bytes", Align::kRight);
  for (std::size_t i = 0; i < shown; ++i) {
    const model::HeapBin& bin = bins[i];
    const std::string owner =
        bin.cache ? fmt::format("thread {}", inspection.heap->caches[*bin.cache].thread_id)
                  : explain::arena_name(inspection, bin.arena);
    table.add_row({std::string(model::piece_use_name(bin.use)), owner,
                   size_range(bin.least_size, bin.most_size), format_count(bin.pieces),
                   format_bytes(bin.size)});
  }
  table.write(out, options.style);
}

void write_inspect_pins(std::string& out, const Inspection& inspection,
                        const InspectOptions& options) {
  const auto& pins = inspection.account.pins;
  if (pins.empty()) return;
  const std::size_t shown = std::min(pins.size(), options.top);
  write_heading(out, options.style, "What keeps free memory",
                "blocks that have free pages on both sides");
  PlaceTable table({"keeps", "blocks", "bytes"}, "first block, where, what it holds");
  std::uint64_t blocks = 0;
  Bytes pinned;
  for (const model::HeapPin& pin : std::span(pins).first(shown)) {
    blocks += pin.blocks;
    pinned += pin.pinned;
    table.add_row({format_bytes(pin.pinned), format_count(pin.blocks), format_bytes(pin.size)},
                  fmt::format("{}, {}{}{}", format_address(pin.first_block),
                              explain::arena_name(inspection, pin.arena),
                              pin.hint.empty() ? "" : ", ", pin.hint),
                  pin.stack);
  }
  table.write(out, options.style);
  const Bytes now = inspection.account.returnable;
  const std::string which =
      blocks == 1 ? "this block" : fmt::format("these {} blocks", format_count(blocks));
  Flow(out, options.style, 2)
      .column(2)
      .put(fmt::format("If {} moved elsewhere, {} could go back: {} more than now.", which,
                       format_bytes(now + pinned), format_bytes(pinned)))
      .end_line();
}

void write_inspect_sizes(std::string& out, const Inspection& inspection,
                         const InspectOptions& options) {
  if (!inspection.heap) return;
  write_heading(out, options.style, "By size", "of chunks, headers included");
  TextTable table;
  table.add_column("up to", Align::kRight);
  table.add_column("live", Align::kRight);
  table.add_column("bytes", Align::kRight);
  table.add_column("free", Align::kRight);
  table.add_column("bytes", Align::kRight);
  table.add_column("", Align::kLeft);
  std::uint64_t most = 0;
  for (const model::SizeRow& row : inspection.account.sizes) {
    most = std::max(most, row.live.size.count);
  }
  for (std::size_t i = 0; i < inspection.account.sizes.size(); ++i) {
    const model::SizeRow& row = inspection.account.sizes.at(i);
    if (row.live.pieces + row.free.pieces == 0) continue;
    const Bytes limit{i < 64 ? std::uint64_t{1} << i : UINT64_MAX};
    table.add_row({format_bytes(limit),
                   format_count(row.live.pieces),
                   format_bytes(row.live.size),
                   format_count(row.free.pieces),
                   format_bytes(row.free.size),
                   {bar(row.live.size.count, most, kBarColumns, options.style), Ink::kDim}});
  }
  table.write(out, options.style);
}

void write_inspect_pieces(std::string& out, const Inspection& inspection,
                          const model::PieceQuery& query, const InspectOptions& options) {
  write_heading(
      out, options.style, "Chunks",
      fmt::format("{} of {}, {}", format_count(query.kept().size()),
                  counted(query.matching(), "chunk"), format_bytes(query.matching_size())));
  TextTable table;
  table.add_column("chunk", Align::kLeft);
  table.add_column("block", Align::kLeft);
  table.add_column("size", Align::kRight);
  table.add_column("is", Align::kLeft);
  table.add_column("arena", Align::kLeft);
  for (const model::HeapPiece& piece : query.kept()) {
    table.add_row({format_address(piece.range.begin), format_address(piece.user()),
                   format_count(piece.range.size().count),
                   std::string(model::piece_use_name(piece.use)),
                   explain::arena_name(inspection, piece.arena)});
  }
  table.write(out, options.style);
}

}  // namespace mini::views
