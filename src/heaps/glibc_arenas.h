// glibc's arenas: what each says of itself, and the memory that each cuts into chunks.
#pragma once

#include <span>

#include "heaps/glibc.h"
#include "heaps/glibc_chunk.h"

namespace mini::heaps {

/// Fills heap.arenas, the main one first, in the order of their ring. `writable` are the target's
/// private, writable mappings without a file, by address.
void read_arenas(GlibcDecoder& decoder, const GlibcMalloc& malloc,
                 std::span<const AddressRange> writable);

/// Where the first chunk of a region is: behind the headers that thread arenas begin with.
Address first_chunk(const GlibcDecoder& decoder, const model::HeapArena& arena,
                    AddressRange region);

}  // namespace mini::heaps
