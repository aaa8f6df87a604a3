// glibc's lists of free chunks: bins and fast bins of arenas, thread caches.
//
// Each link is checked before it is followed, each list against what it must be like; a list that
// is damaged is followed up to the damage.
#pragma once

#include <span>

#include "heaps/glibc_chunk.h"
#include "heaps/glibc_heap.h"

namespace mini::heaps {

/// Bins and fast bins of every arena, into decoder.heap.bins and decoder.listed.
void read_bins(GlibcDecoder& decoder);

/// The caches of the threads, found where their thread-local storage points to them.
void read_caches(GlibcDecoder& decoder, std::span<const HeapThread> threads);

/// Reads what read_caches needs to find the caches, and no more.
void find_caches(const GlibcDecoder& decoder, std::span<const HeapThread> threads);

}  // namespace mini::heaps
