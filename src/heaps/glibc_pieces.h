// The pieces of a main arena whose break could not be moved: glibc maps one after the other then,
// and nothing leads from one to the next.
#pragma once

#include <span>

#include "heaps/glibc_chunk.h"

namespace mini::heaps {

/// Fills arena.regions and arena.not_found. `mappings` are the target's private, writable ones
/// without a file, by address, those that touch as one; `top_end` is where the top chunk ends.
/// REQUIRES: arena.top.
void find_pieces(const GlibcDecoder& decoder, model::HeapArena& arena, Address base,
                 std::span<const AddressRange> mappings, Address top_end);

/// The range that an address is in; nullptr where it is in none.
const AddressRange* range_of(std::span<const AddressRange> ranges, Address address);

}  // namespace mini::heaps
