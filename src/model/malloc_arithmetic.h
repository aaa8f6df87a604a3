// glibc's arithmetic of asking the kernel for memory, x86-64, as malloc/malloc.c has it: what is
// read from a target and what is explained must agree on it. Names in quotation marks are glibc's.
#pragma once

#include <optional>
#include <string_view>

#include "base/units.h"

namespace mini::model {

inline constexpr Bytes kChunkHeader{8};       // "SIZE_SZ": what a chunk costs beside the request
inline constexpr Bytes kChunkAlignment{16};   // "MALLOC_ALIGNMENT"
inline constexpr Bytes kSmallestChunk{32};    // "MINSIZE", also kept free at the end of the heap
inline constexpr Bytes kArenaHeap{64 << 20};  // "HEAP_MAX_SIZE" without huge pages

/// "request2size": max(32, (request + 8) rounded up to 16); nullopt above PTRDIFF_MAX, which
/// malloc refuses.
std::optional<Bytes> chunk_of_request(Bytes request);

/// "csize2tidx": which of the thread cache's lists a chunk belongs to. REQUIRES: chunk >= 32.
constexpr std::uint64_t thread_cache_index(Bytes chunk) {
  return (chunk.count - kSmallestChunk.count + kChunkAlignment.count - 1) / kChunkAlignment.count;
}

/// The chunk that holds a thread's cache and is allocated before its first block; nullopt where
/// that glibc makes none so early (before 2.26, from 2.42) or the version is unknown.
std::optional<Bytes> thread_cache_chunk(std::string_view glibc_version);

/// "sysmalloc", main arena: by how much the break rises for a chunk. What is left in the top chunk
/// counts only where the arena is contiguous; pass 0 else.
std::optional<Bytes> break_growth(Bytes chunk, Bytes top_pad, Bytes left_in_top, Bytes page_size);

/// "sysmalloc_mmap", "mremap_chunk": the length of a mapping that is one chunk.
std::optional<Bytes> mapping_of_chunk(Bytes chunk, Bytes page_size);

/// "systrim": by how much the break falls; 0 where nothing is given back.
Bytes break_trim(Bytes top, Bytes pad, Bytes page_size);

/// "sysmalloc", second call after somebody else moved the break: what it adds so that a top chunk
/// that starts there is aligned, holds the old top's bytes again and ends on a page.
std::optional<Bytes> break_correction(Address break_now, Bytes left_in_top, Bytes page_size);

}  // namespace mini::model
