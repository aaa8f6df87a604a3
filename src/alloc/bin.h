// A bin: the slabs of one size class in one heap, shared by all threads.
#pragma once

#include <array>
#include <cstdint>

#include "alloc/backing.h"
#include "alloc/lock.h"
#include "alloc/size_class.h"
#include "alloc/span.h"

namespace mini::alloc {

/// What processors hand to each other as a whole.
inline constexpr std::uint32_t kLineBytes = 64;

/// Whether a cache line holds several blocks of the class. Larger ones that are no multiple of a
/// line share theirs too, but only with what is at the end of a neighbour.
constexpr bool shares_lines(ClassIndex size_class) {
  return kSizeClasses[size_class].block_bytes < kLineBytes;
}

/// Thread-safe. A thread that holds a bin's lock may take the locks of pages, spans and records.
///
///  B1  each slab of the class is in exactly one list: the one of its fullness, or of those swept
///  B2  blocks_out == sum over slabs of Span::used_count(): in use, cached by threads, or in the
///      depot
///  B3  depot_count <= depot_capacity
///
/// The depot holds blocks that one thread's cache had too many of, for the next thread whose cache
/// has too few: in a program whose threads hand blocks on, they never see their slab in between.
class alignas(64) Bin {
 public:
  constexpr Bin() = default;

  struct Place {
    Backing& backing;
    HeapId heap = 0;
    ClassIndex size_class = 0;
    bool shared = false;  // several threads are at work: a depot pays
  };

  /// Takes up to `most` blocks into out[0..]; those of one slab in ascending order of address.
  /// Fewer than `most` only where a slab ends or there is no memory; 0: no memory.
  std::uint32_t take(void** out, std::uint32_t most, const Place& place);
  /// The same, of cache lines in which nobody has a block, as far as there is memory for them.
  /// REQUIRES: blocks of the class share lines.
  std::uint32_t take_whole_lines(void** out, std::uint32_t most, const Place& place);
  /// Takes blocks back. Aborts where one of them is free already.
  void put(void* const* blocks, std::uint32_t count, const Place& place);

  /// Whether a block of the slab is free: in the slab or in the depot.
  bool holds(const void* block, const Span& slab, Backing& backing);
  /// Empties the depot, so that empty slabs become free pages.
  void drain_depot(const Place& place);
  /// Gives back the memory of all pages inside slabs that no block in use touches.
  PageCount release_free_pages(const Place& place);
  /// Frees all slabs, whatever is in use. REQUIRES: no other thread uses the bin.
  void release_all(const Place& place);

  struct Figures {
    std::uint32_t slabs = 0;
    PageCount pages;
    std::uint64_t blocks = 0;
    std::uint64_t blocks_out = 0;
    std::uint32_t blocks_in_depot = 0;
  };
  Figures figures();

  Lock& lock() { return lock_; }

 private:
  friend struct Inspector;
  friend struct Checker;

  static constexpr std::uint32_t kFullnesses = 5;  // 0: full, 1: fullest … 4: emptiest
  static constexpr std::uint32_t kSwept = kFullnesses;
  static constexpr std::uint32_t kLists = kFullnesses + 1;

  static std::uint32_t fullness(const Span& slab);
  static std::uint32_t list_of(const Span& slab);
  void move_to_list(Span& slab, std::uint32_t from);
  void end_swept(Span& slab, const Place& place);
  Span* slab_with_room(const Place& place);
  Span* slab_with_whole_lines(const Place& place);
  Span* new_slab(const Place& place);
  void release_slab(Span& slab, std::uint32_t list, const Place& place);
  [[noreturn]] static void die_of_wrong_block(const void* block, const Place& place);
  bool put_in_depot(void* const* blocks, std::uint32_t count, const Place& place);
  std::uint32_t put_in_slabs(void* const* blocks, std::uint32_t count, const Place& place);
  void check(Backing& backing) const;  // now and then, in a checked build

  // bin_sweep.cc
  PageCount likely_unused(std::uint32_t block_bytes) const;
  bool sweep_is_due(std::uint32_t moved, const Place& place);
  void sweep(const Place& place);

  Lock lock_{LockRank::kBin};
  std::uint32_t depot_count_ = 0;
  std::uint32_t depot_capacity_ = 0;
  std::uint32_t slabs_ = 0;
  void** depot_ = nullptr;
  std::array<SpanList, kLists> lists_{};  // by list_of()
  PageCount pages_;
  std::uint64_t blocks_ = 0;
  std::uint64_t blocks_out_ = 0;
  std::uint32_t moved_ = 0;  // blocks that came or went since sweep_is_due() looked
  PageCount unused_;         // likely_unused() then
};

}  // namespace mini::alloc
