// A heap at one moment, as an allocator's own structures describe it: pieces in regions of arenas,
// lists of free pieces, thread caches, what the allocator was told by its user, what is damaged.
//
// Pieces are not kept here, there may be fifty million: a decoder hands each to a PieceSink.
//
//  H1  within a region pieces come in the order of addresses, touch, and cover the region
//  H2  pieces of mmapped chunks are regions of their own, without an arena
#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/units.h"

namespace mini::model {

/// What a piece of a heap is.
enum class PieceUse : std::uint8_t {
  kLive,    // the program has it
  kCached,  // free, in a thread's cache
  // Free for all threads; is_binned() goes by this order.
  kFastbin,   // not yet merged with its neighbours
  kUnsorted,  // not yet in the bin of its size
  kSmallbin,
  kLargebin,
  kSlab,       // in its slab (minimalloc)
  kDepot,      // between one thread's cache and the next (minimalloc)
  kFreePages,  // pages that are part of nothing (minimalloc)
  kTop,        // the free end of an arena
  kAllocator,  // the allocator's own: arena headers, caches, fences, tables
  kSlabRest,   // the end of a slab, too short for a block
  kForeign,    // inside the region, somebody else's: memory between two moves of the break
  kUnknown,    // behind damage: cannot be told
};
inline constexpr std::size_t kPieceUseCount = 14;

/// "live", "cached", "fastbin", …: the words of the JSON form.
std::string_view piece_use_name(PieceUse use);
/// In a bin or slab: the allocator may merge it with neighbours, use it again, give it back.
constexpr bool is_binned(PieceUse use) {
  return PieceUse::kFastbin <= use && use <= PieceUse::kFreePages;
}
/// In a bin, in a cache or at the end: not the program's.
constexpr bool is_free(PieceUse use) {
  return is_binned(use) || use == PieceUse::kCached || use == PieceUse::kTop;
}

inline constexpr std::uint32_t kNoArena = UINT32_MAX;

/// A chunk of glibc's; a block of minimalloc's, a run of its pages.
struct HeapPiece {
  AddressRange range;
  PieceUse use = PieceUse::kLive;
  std::uint32_t arena = kNoArena;  // index into Heap::arenas
  Bytes header = {};               // of range: not usable by the program
  Bytes before_user = {};          // from range.begin to what malloc returned

  Address user() const { return range.begin + before_user; }
};

/// A run of memory that an arena cuts into pieces.
struct HeapRegion {
  AddressRange range;
  std::uint32_t arena = kNoArena;
};

class PieceSink {
 public:
  PieceSink() = default;
  PieceSink(const PieceSink&) = delete;
  PieceSink& operator=(const PieceSink&) = delete;
  virtual ~PieceSink() = default;

  /// The heap is handed out once more, from its begin: what came before is to be forgotten.
  virtual void restart() {}
  virtual void begin_region(const HeapRegion& region) = 0;
  virtual void piece(const HeapPiece& piece) = 0;
  /// The same of several that follow each other: who hands out millions asks once for many.
  virtual void pieces(std::span<const HeapPiece> several) {
    for (const HeapPiece& one : several) piece(one);
  }
  virtual void end_region() = 0;
};

struct HeapArena {
  Address address;
  std::string name;  // that its user gave it; "" for none
  bool is_main = false;
  bool is_locked = false;     // a thread is changing it
  bool is_contiguous = true;  // the main arena: nobody else moved the break
  Bytes system;               // what the arena says it has from the kernel
  Bytes most_system;
  Bytes not_found;                                // of system: of what regions have none
  std::optional<std::uint64_t> attached_threads;  // that allocate from it
  std::optional<Address> top;
  Bytes top_size;
  std::optional<Address> last_remainder;
  std::vector<AddressRange> regions;
};

/// A list of free pieces of like sizes that has something in it.
struct HeapBin {
  PieceUse use = PieceUse::kUnsorted;
  std::uint32_t arena = kNoArena;
  std::optional<std::uint32_t> cache = {};  // index into Heap::caches, of kCached
  std::uint32_t index = 0;                  // among the bins of its kind
  Bytes least_size = {};                    // of the chunks that are in it
  Bytes most_size = {};
  std::uint64_t pieces = 0;
  Bytes size = {};  // of all of them
};

struct HeapCache {
  Address address;
  std::int64_t thread_id = 0;  // 0 where unknown
  std::uint64_t pieces = 0;
  Bytes size = {};
};

/// What decides when an allocator asks the kernel and gives back.
struct HeapParameters {
  Bytes mmap_threshold;
  Bytes trim_threshold;
  Bytes top_pad;
  bool thresholds_are_fixed = false;  // by the program or the environment: they do not adapt
  std::uint64_t cache_count = 0;      // pieces of one size in a thread's cache at most
  std::uint64_t mmapped_count = 0;    // what the allocator counts
  Bytes mmapped;
  Bytes most_mmapped;
};

/// A number that the allocator keeps, beside what was found.
struct HeapCounter {
  std::string name;  // "slabs"
  std::uint64_t counted = 0;
  std::uint64_t found = 0;
  bool in_motion = false;  // they differ, and not so in readings before
};

/// What damage tells of its cause: the first ones tell the most.
enum class DamageKind : std::uint8_t {
  kTwice,    // a chunk that is in lists twice
  kField,    // a field that holds what it cannot
  kFollows,  // what does not fit to others: mostly, they are what was overwritten
};

/// Something that cannot be so.
struct HeapDamage {
  Address where;         // of the field, or of what is in lists twice or in none
  std::string field;     // "size of the chunk at 0x…"
  std::string found;     // what it holds
  std::string expected;  // what it should be
  /// The size of a top chunk, and 0: as of one whose page was never touched. All else was found.
  bool is_unwritten = false;
  DamageKind kind = DamageKind::kField;
};

struct Heap {
  std::string allocator;  // "glibc", "libminimalloc"
  std::string version;    // "2.36"; "" where unknown
  std::string found_by;   // "symbols", "structure", "note"
  HeapParameters parameters;
  std::vector<HeapArena> arenas;
  std::vector<HeapCache> caches;
  std::vector<HeapBin> bins;
  std::uint64_t caches_not_found = 0;  // threads whose cache is not known: what is in it looks live
  std::uint64_t mmapped_found = 0;
  Bytes mmapped_bytes_found;
  std::vector<HeapCounter> counters;
  std::vector<HeapDamage> damages;  // the first ones
  std::uint64_t damages_count = 0;
};

}  // namespace mini::model
