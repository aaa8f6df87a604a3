// A heap as a strip of characters: where it is in use and where free, however many pieces it has.
#pragma once

#include <string>
#include <vector>

#include "base/units.h"

namespace mini::lab {

struct StripPiece {
  Bytes size;
  bool is_free = false;
};

/// A character for each `cell` of bytes: '#' in use, '.' free, '+' some of each; 64 to a line.
/// REQUIRES: cell > 0.
std::string draw_strip(const std::vector<StripPiece>& pieces, Bytes cell);

/// The cell that makes a strip of at most `lines` lines.
Bytes strip_cell(const std::vector<StripPiece>& pieces, std::uint64_t lines);

}  // namespace mini::lab
