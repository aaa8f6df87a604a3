// The heap as a drawing. Cells are of the same size everywhere, a power of two of pages, chosen so
// that all regions fit some lines; regions that are not shown are counted below.
#include <algorithm>
#include <array>
#include <cmath>
#include <fmt/format.h>

#include "base/text.h"
#include "explain/memory_ledger.h"
#include "views/flow.h"
#include "views/inspect_parts.h"
#include "views/terminal_heading.h"

namespace mini::views {
namespace {

using model::HeapMap;
using model::Inspection;
using model::MapRegion;

constexpr std::size_t kMostRows = 24;  // of cells, as long as there are no more regions
constexpr std::size_t kMostRegions = 40;
constexpr std::size_t kIndent = 2;
constexpr std::size_t kLabelColumns = 17;

struct Cell {
  AddressRange range;
  std::uint64_t live = 0;
  Bytes resident;
};

/// What is drawn: regions by address, and how large a cell is.
struct Drawing {
  std::vector<const MapRegion*> regions;
  std::size_t left_out = 0;
  Bytes left_out_size;
  Bytes cell;
  std::size_t columns = 0;
};

std::uint64_t cells_of(AddressRange range, Bytes cell) {
  return (range.end.value - 1) / cell.count - range.begin.value / cell.count + 1;
}

std::uint64_t rows_of(const Drawing& drawing) {
  std::uint64_t rows = 0;
  for (const MapRegion* region : drawing.regions) {
    rows += (cells_of(region->range, drawing.cell) + drawing.columns - 1) / drawing.columns;
  }
  return rows;
}

Drawing lay_out(const HeapMap& map, const InspectOptions& options) {
  Drawing drawing;
  drawing.columns = (options.style.width - kLabelColumns) / 8 * 8;
  for (const MapRegion& region : map.regions()) drawing.regions.push_back(&region);
  std::ranges::stable_sort(drawing.regions, std::ranges::greater(),
                           [](const MapRegion* region) { return region->range.size(); });
  while (drawing.regions.size() > kMostRegions) {
    ++drawing.left_out;
    drawing.left_out_size += drawing.regions.back()->range.size();
    drawing.regions.pop_back();
  }
  std::ranges::sort(drawing.regions, {},
                    [](const MapRegion* region) { return region->range.begin; });
  drawing.cell = map.unit();
  const std::size_t most = std::max(kMostRows, drawing.regions.size());
  while (rows_of(drawing) > most) drawing.cell = drawing.cell * 2;
  return drawing;
}

std::vector<Cell> cells_of(const MapRegion& region, const HeapMap& map, Bytes size,
                           const model::ResidentMap& resident) {
  const std::uint64_t first = region.range.begin.value / size.count;
  std::vector<Cell> cells(cells_of(region.range, size));
  const std::uint64_t units = size.count / map.unit().count;
  const std::uint64_t first_unit = region.range.begin.value / map.unit().count;
  for (std::size_t i = 0; i < region.live.size(); ++i) {
    cells[(first_unit + i) / units - first].live += region.live[i];
  }
  for (std::size_t i = 0; i < cells.size(); ++i) {
    const Address begin{(first + i) * size.count};
    Cell& cell = cells[i];
    cell.range = {std::max(begin, region.range.begin), std::min(begin + size, region.range.end)};
    cell.resident = resident.resident(cell.range);
  }
  return cells;
}

/// Nothing, eight steps, all.
std::string_view glyph(std::uint64_t part, Bytes whole, bool unicode) {
  static constexpr std::array<std::string_view, 9> kBlocks = {
      " ", "\u2581", "\u2582", "\u2583", "\u2584", "\u2585", "\u2586", "\u2587", "\u2588"};
  static constexpr std::array<std::string_view, 9> kLetters = {" ", ".", ":", "-", "=",
                                                               "+", "*", "%", "#"};
  if (part == 0) return kBlocks[0];
  const double share = static_cast<double>(part) / static_cast<double>(whole.count);
  const auto step = std::clamp<std::size_t>(static_cast<std::size_t>(std::lround(share * 8)), 1, 8);
  return unicode ? kBlocks.at(step) : kLetters.at(step);
}

void put_row(std::string& out, std::string_view label, std::span<const Cell> cells, bool live,
             const TextStyle& style) {
  std::string row;
  for (const Cell& cell : cells) {
    row += glyph(live ? cell.live : cell.resident.count, cell.range.size(), style.unicode);
  }
  while (row.ends_with(' ')) row.pop_back();
  std::string line = fmt::format("{:<{}}", label, kLabelColumns);
  const std::string_view ink = live || !style.color ? "" : ink_sequence(Ink::kDim);
  line += fmt::format("{}{}{}", ink, row, ink.empty() ? "" : kInkReset);
  while (line.ends_with(' ')) line.pop_back();
  out += line + '\n';
}

}  // namespace

void write_inspect_map(std::string& out, const Inspection& inspection, const HeapMap& map,
                       const InspectOptions& options) {
  const TextStyle& style = options.style;
  if (map.regions().empty()) {
    write_heading(out, style, "Map", "nothing of the heap is there");
    return;
  }
  const Drawing drawing = lay_out(map, options);
  write_heading(out, style, "Map",
                fmt::format("{} a cell, {} a line", format_bytes(drawing.cell),
                            format_bytes(drawing.cell * drawing.columns)));
  const auto say = [&](std::string_view text) {
    Flow(out, style, kIndent).column(kIndent).put(text).end_line();
  };
  say(fmt::format("above: what of a cell is live; below: what is resident; {}: all of it",
                  glyph(1, Bytes{1}, style.unicode)));
  std::optional<std::uint32_t> arena;
  for (const MapRegion* region : drawing.regions) {
    if (arena != region->arena) {
      arena = region->arena;
      say(explain::arena_name(inspection, region->arena));
    }
    const auto cells = cells_of(*region, map, drawing.cell, inspection.heap_resident);
    for (std::size_t at = 0; at < cells.size(); at += drawing.columns) {
      const auto row = std::span(cells).subspan(at, std::min(drawing.columns, cells.size() - at));
      put_row(out, fmt::format("  {}", format_address(row.front().range.begin)), row, true, style);
      put_row(out, "", row, false, style);
    }
  }
  if (drawing.left_out != 0) {
    say(fmt::format("{}, {} in all, not drawn: choose with --range",
                    counted(drawing.left_out, "smaller region"),
                    format_bytes(drawing.left_out_size)));
  }
}

void write_map_json(JsonWriter& json, const Inspection& inspection, const HeapMap& map,
                    const InspectOptions& options) {
  json.key("map").begin_object();
  if (map.regions().empty()) {
    json.key("cell_bytes").null();
    json.key("regions").begin_array().end_array();
    json.end_object();
    return;
  }
  const Drawing drawing = lay_out(map, options);
  json.key("cell_bytes").bytes(drawing.cell);
  json.key("regions").begin_array();
  for (const MapRegion* region : drawing.regions) {
    const auto cells = cells_of(*region, map, drawing.cell, inspection.heap_resident);
    json.begin_object();
    json.key("begin").address(region->range.begin).key("end").address(region->range.end);
    json.key("arena").string(explain::arena_name(inspection, region->arena));
    json.key("live_bytes").begin_array();
    for (const Cell& cell : cells) json.number(cell.live);
    json.end_array().key("resident_bytes").begin_array();
    for (const Cell& cell : cells) json.bytes(cell.resident);
    json.end_array().end_object();
  }
  json.end_array();
  json.end_object();
}

}  // namespace mini::views
