#include "lab/heap_strip.h"

#include <algorithm>

namespace mini::lab {
namespace {

constexpr std::size_t kCellsOfLine = 64;

char cell_text(Bytes used, Bytes freed) {
  if (freed == Bytes{}) return '#';
  return used == Bytes{} ? '.' : '+';
}

}  // namespace

std::string draw_strip(const std::vector<StripPiece>& pieces, Bytes cell) {
  std::string cells;
  Bytes used;
  Bytes freed;
  for (const StripPiece& piece : pieces) {
    Bytes left = piece.size;
    while (left > Bytes{}) {
      const Bytes part = std::min(left, cell - used - freed);
      (piece.is_free ? freed : used) += part;
      left -= part;
      if (used + freed < cell) break;
      cells += cell_text(used, freed);
      used = freed = Bytes{};
    }
  }
  if (used + freed > Bytes{}) cells += cell_text(used, freed);
  std::string text;
  for (std::size_t i = 0; i < cells.size(); i += kCellsOfLine) {
    text += "  " + cells.substr(i, kCellsOfLine) + "\n";
  }
  return text;
}

Bytes strip_cell(const std::vector<StripPiece>& pieces, std::uint64_t lines) {
  Bytes sum;
  for (const StripPiece& piece : pieces) sum += piece.size;
  const std::uint64_t cells = lines * kCellsOfLine;
  return Bytes{std::max<std::uint64_t>(1, (sum.count + cells - 1) / cells)};
}

}  // namespace mini::lab
