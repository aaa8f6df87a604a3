// glibc's heap, all of it: every arena, every chunk, every list.
//
// Pure over a MemoryReader: a stopped process, a running one, a core file, a fake. Nothing that is
// read is trusted; what cannot be so is told as damage, and the rest is read all the same.
#pragma once

#include <vector>

#include "base/memory_reader.h"
#include "heaps/glibc.h"
#include "heaps/heap_thread.h"
#include "model/heap.h"

namespace mini::heaps {

/// A process with glibc's malloc in it.
struct GlibcTarget {
  GlibcMalloc malloc;
  std::vector<HeapThread> threads;
  /// Its private, writable mappings without a file, the heap at the break included; by address.
  std::vector<AddressRange> writable;
  Bytes page_size{4096};
};

/// What read_glibc_heap will read from end to end: the regions of arenas, without the insides of
/// their top chunks; by address. All else that it will want, save damage, is read here once: of a
/// reader that keeps what it read and copies these ranges, the heap can be decoded later.
std::vector<AddressRange> survey_glibc_heap(const MemoryReader& memory, const GlibcTarget& target);

/// Hands every chunk to `sink`, arena by arena, then mmapped chunks. Cost: one pass over the memory
/// of the heap by windows of 64 KiB, a read for each page with a listed chunk; memory for the pages
/// that have listed chunks, not for what is live.
model::Heap read_glibc_heap(const MemoryReader& memory, const GlibcTarget& target,
                            model::PieceSink& sink);

}  // namespace mini::heaps
