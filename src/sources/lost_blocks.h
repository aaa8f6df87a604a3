// The search for blocks that a program cannot come to any more, in a heap that was just decoded:
// of a process that holds still, or of a core.
#pragma once

#include <optional>
#include <vector>

#include "base/memory_reader.h"
#include "heaps/reachability.h"
#include "model/inspection.h"

namespace mini::sources {

/// Collects what the search needs of a heap: 16 bytes a live block.
class LiveBlockList final : public model::PieceSink {
 public:
  void restart() override {
    blocks_.clear();
    regions_.clear();
  }
  void begin_region(const model::HeapRegion& region) override { regions_.push_back(region.range); }
  void piece(const model::HeapPiece& piece) override {
    if (piece.use != model::PieceUse::kLive) return;
    blocks_.push_back({piece.user().value, (piece.range.size() - piece.header).count});
  }
  void end_region() override {}

  /// By address. To be called once.
  std::vector<heaps::LiveRange> take_blocks();
  /// Of the heap and of the allocator's own tables, by address, disjoint. To be called once.
  std::vector<AddressRange> take_regions();

 private:
  std::vector<heaps::LiveRange> blocks_;
  std::vector<AddressRange> regions_;
};

/// `memory` reads what was never touched as zeros. `present`: the parts of the writable memory that
/// may hold anything else, by address; nullopt where that is not known.
///
/// Damage of the heap makes the search careful: then what is free counts as though it pointed.
model::LostBlocks find_lost_blocks(const MemoryReader& memory, const model::Inspection& inspection,
                                   LiveBlockList& list,
                                   const std::optional<std::vector<AddressRange>>& present);

}  // namespace mini::sources
