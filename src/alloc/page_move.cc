// The kernel moves what is one mapping to it, and before Linux 6.17 nothing else: what lies in
// different extents often is not, since huge pages are allowed by extents and what was moved before
// never merges with its neighbours. So pages are moved by extents. And before it looks at what it
// shall move, it unmaps what lies where that shall go (mm/mremap.c, mremap_to).
#include "alloc/page_move.h"

#include <algorithm>
#include <cstring>

#include "alloc/free_pages.h"
#include "kernel/vm/vm.h"

namespace mini::alloc {
namespace {

namespace vm = kernel::vm;

/// Part of a move within one extent of its source.
struct Piece {
  PageIndex from;
  PageIndex to;
  PageCount count;
};

// As the extents' own records have it; pages that were moved bring the advice of their old place.
void advise_anew(Window& window, const Piece& piece) {
  for_each_extent({piece.to, piece.count}, [&](std::uint32_t i, BitRun bits) {
    const PageIndex first{i * kExtentPages + bits.begin};
    vm::allow_huge_pages(window.address(first), PageCount{bits.length}.bytes(),
                         window.extent(i).huge);
  });
}

bool has_other_advice(const Window& window, const Piece& piece) {
  bool other = false;
  for_each_extent({piece.to, piece.count}, [&](std::uint32_t i, BitRun) {
    other = other || window.extent(i).huge != window.extent(piece.from.extent()).huge;
  });
  return other;
}

Move move_piece(Window& window, const Piece& piece) {
  std::byte* const from = window.address(piece.from);
  std::byte* const to = window.address(piece.to);
  const std::size_t bytes = piece.count.bytes();
  if (vm::move_pages(from, to, bytes)) {
    if (has_other_advice(window, piece)) advise_anew(window, piece);
    return Move::kDone;
  }
  // What the kernel took away begins behind what it had moved already.
  const std::size_t left = vm::mapped_bytes(to, bytes);
  if (left == bytes) return Move::kNotDone;
  if (vm::map_over(to + left, bytes - left) != vm::MapResult::kMapped) {
    std::memcpy(from, to, left);
    return Move::kLost;
  }
  advise_anew(window, piece);
  std::memcpy(to + left, from + left, bytes - left);
  return vm::discard(from, bytes) ? Move::kDone : Move::kCopied;
}

void copy(const Window& window, PageIndex from, PageIndex to, PageCount count) {
  std::memcpy(window.address(to), window.address(from), count.bytes());
}

}  // namespace

Move move_contents(Window& window, PageRun from, PageIndex to) {
  Move result = Move::kDone;
  for (PageCount done; done < from.count;) {
    const PageIndex first = from.first + done;
    const PageCount in_extent{kExtentPages - first.in_extent()};
    const Piece piece{first, to + done, std::min(from.count - done, in_extent)};
    switch (move_piece(window, piece)) {
      case Move::kDone:
        break;
      case Move::kNotDone:
        if (done == PageCount{}) return Move::kNotDone;
        copy(window, piece.from, piece.to, piece.count);
        result = Move::kCopied;
        break;
      case Move::kCopied:
        result = Move::kCopied;
        break;
      case Move::kLost:
        copy(window, to, from.first, done);
        return Move::kLost;
    }
    done += piece.count;
  }
  return result;
}

}  // namespace mini::alloc
