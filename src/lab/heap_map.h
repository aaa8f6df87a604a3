// A heap's pieces as a list for people: where each begins, how long it is, what it is.
#pragma once

#include <map>
#include <string>

#include "lab/looked_run.h"

namespace mini::lab {

/// What the reader may call a piece, by the address that the program has of it: "first block".
using PieceNames = std::map<Address, std::string>;

/// The main arena's pieces, one a line, like neighbours in one; at most 80 columns.
std::string draw_heap(const SeenHeap& seen, const PieceNames& names = {});

}  // namespace mini::lab
