// What the pieces of a heap add up to: by use and arena, with what of it has memory; which free
// memory could go back to the kernel, and which blocks keep it from going.
//
//  A1  the sum of `size` over uses and arenas == the sum over the regions' sizes
//  A2  returnable + pinned == the resident bytes of runs of free pieces
#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "model/heap.h"
#include "model/resident_map.h"

namespace mini::model {

struct PieceTotals {
  std::uint64_t pieces = 0;
  Bytes size = {};
  Bytes header = {};           // of size
  Bytes resident = {};         // of size, has memory
  Bytes resident_header = {};  // of header, has memory

  PieceTotals& operator+=(const PieceTotals& other) {
    pieces += other.pieces;
    size += other.size;
    header += other.header;
    resident += other.resident;
    resident_header += other.resident_header;
    return *this;
  }
};
using TotalsByUse = std::array<PieceTotals, kPieceUseCount>;

/// Used pieces between two runs of free ones: if they were not there, the pages around them could
/// go back.
struct HeapPin {
  Address first_block;  // what malloc returned
  std::uint64_t blocks = 0;
  Bytes size;
  Bytes pinned;  // resident, free, in pages that nothing else keeps
  std::uint32_t arena = kNoArena;
  std::string hint = {};                // what the first block seems to hold; "" where not known
  std::vector<std::string> stack = {};  // that allocated it, innermost first, where recorded
};

/// Live blocks and free pieces of one range of sizes, (2^(i-1), 2^i].
struct SizeRow {
  PieceTotals live;
  PieceTotals free;
};
inline constexpr std::size_t kSizeRowCount = 65;

struct HeapAccount {
  std::vector<TotalsByUse> by_arena;  // as Heap::arenas
  TotalsByUse without_arena;          // mmapped chunks
  std::array<SizeRow, kSizeRowCount> sizes;
  Bytes returnable;                  // malloc_trim(0) would give back
  Bytes pinned;                      // resident and free, but in pages with something used
  std::vector<HeapPin> pins;         // those that pin the most, most first
  std::uint64_t pinning_blocks = 0;  // of all pins
  Bytes pinning_bytes;

  TotalsByUse total() const;
};

/// What decides which free memory can go back.
struct ReturnRules {
  Bytes page_size{4096};
  Bytes kept_in_piece{48};  // at the begin of a free run: its links ("sizeof(malloc_chunk)")
  bool only_main = false;   // nothing but the main arena's free memory goes back
  std::size_t most_pins = 20;
};

/// Collects an account from the pieces that a decoder hands out.
class HeapAccountant final : public PieceSink {
 public:
  /// `resident` must outlive the accountant.
  HeapAccountant(const ResidentMap& resident, const ReturnRules& rules)
      : resident_(resident), rules_(rules) {}

  void begin_region(const HeapRegion& region) override;
  void piece(const HeapPiece& piece) override;
  void pieces(std::span<const HeapPiece> several) override;
  void end_region() override;

  /// To be called once, after the last region.
  HeapAccount take();

 private:
  /// Free pieces that touch.
  struct FreeRun {
    AddressRange range;
    bool has_top = false;
    bool is_main = true;
    bool empty() const { return range.empty(); }
  };

  /// Pieces in use that follow each other.
  struct UsedRun {
    Address first_block;
    std::uint64_t blocks = 0;
    Bytes size;
    std::uint32_t arena = kNoArena;
  };

  void take_piece(const HeapPiece& piece);
  void count(const HeapPiece& piece);
  void extend_run(const HeapPiece& piece);
  void close_run();
  void consider_pin(const FreeRun& before, const FreeRun& after);
  AddressRange returnable_part(const FreeRun& run) const;

  const ResidentMap& resident_;
  ReturnRules rules_;
  HeapAccount account_;
  HeapRegion region_;
  FreeRun run_;       // that is being extended
  FreeRun last_run_;  // closed, in front of used_
  UsedRun used_;      // since last_run_
};

}  // namespace mini::model
