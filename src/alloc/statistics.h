// Figures of the allocator: what there is of each kind of block and page.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/allocator.h"

namespace mini::alloc {

/// Of one size class.
///
///  G1  in_use + cached + in_depots + free == blocks
struct ClassFigures {
  std::uint64_t slabs = 0;
  std::uint64_t pages = 0;
  std::uint64_t blocks = 0;
  std::uint64_t in_use = 0;  // the program's
  std::uint64_t cached = 0;  // by threads
  std::uint64_t in_depots = 0;
  std::uint64_t free = 0;  // in their slabs

  void operator+=(const ClassFigures& other);
};
using ClassTable = std::array<ClassFigures, kClassCount>;

struct LargeFigures {
  std::uint64_t blocks = 0;
  std::uint64_t pages = 0;
};

/// Of pools, which lie in memory of the library's own.
///
///  G2  live_bytes + rest_bytes == bytes
struct PoolFigures {
  std::uint64_t bytes = 0;
  std::uint64_t live_bytes = 0;
  std::uint64_t live_blocks = 0;
  std::uint64_t rest_bytes = 0;  // headers, freed blocks, what was never taken
};

/// Of one heap; heap 0 is malloc's, and has the pools too.
struct HeapFigures {
  std::array<char, Heap::kMostName + 1> name{};
  ClassTable classes{};
  LargeFigures large;
};

/// Of all. Where other threads are at work, figures come from different moments, and the equations
/// but for G1 may miss by what was done in between.
///
///  G3  sum over classes of pages + large.pages == used_pages
///  G4  resident_free_pages <= free_pages
struct Figures {
  ClassTable classes{};
  LargeFigures large;
  PoolFigures pools;
  std::uint64_t used_pages = 0;
  std::uint64_t free_pages = 0;  // with those of freed large blocks that are kept whole
  std::uint64_t resident_free_pages = 0;
  std::uint64_t tables_bytes = 0;  // mapped for what describes the heap
  std::uint64_t heaps = 0;
  std::uint64_t threads = 0;  // that have a cache
  std::uint64_t lost_blocks = 0;
};

/// Thread-safe; each takes locks for a moment. False, and nothing read, where the thread is inside
/// the allocator: then a signal handler asks, and the lock may be held by what it interrupted.
[[nodiscard]] bool read_figures(Allocator& allocator, Figures* out);
/// The same; false too where there is no heap of that number.
[[nodiscard]] bool read_heap_figures(Allocator& allocator, HeapId heap, HeapFigures* out);
/// Numbers of heaps are below this.
std::uint32_t heap_end(Allocator& allocator);

/// Sums over a table.
struct ClassSums {
  ClassFigures counts;
  std::uint64_t in_use_bytes = 0;
  std::uint64_t cached_bytes = 0;
  std::uint64_t depot_bytes = 0;
  std::uint64_t free_bytes = 0;
  std::uint64_t rest_bytes = 0;  // ends of slabs, too short for a block
};
ClassSums sum(const ClassTable& table);

}  // namespace mini::alloc
