// The walk over the chunks of a region, from each to the next by its size.
#pragma once

#include "heaps/glibc_chunk.h"
#include "heaps/header_window.h"

namespace mini::heaps {

/// REQUIRES: the lists were read. Behind damage the walk goes on at the next place
/// from where several chunks follow each other soundly; what is between is of unknown use.
void walk_region(GlibcDecoder& decoder, const MemoryReader& memory, const model::HeapRegion& region,
                 model::PieceSink& sink);

/// Mmapped chunks have no list: each mapping is tried for one at its begin, and behind each for
/// another, until as many are found as malloc counts.
void walk_mmapped(GlibcDecoder& decoder, const MemoryReader& memory,
                  std::span<const AddressRange> writable, model::PieceSink& sink);

}  // namespace mini::heaps
