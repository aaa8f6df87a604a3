// Whose memory became resident: each page fault belongs to the live block, or to the mapping of the
// program's own, that its address is in.
#pragma once

#include <cstdint>
#include <map>
#include <vector>

#include "model/heap_profile.h"
#include "recording/event.h"
#include "sources/placed_blocks.h"

namespace mini::sources {

/// Holds the ranges of live blocks in the order of their addresses, from the first touch on: a
/// recording without touches does not pay for them.
class FirstTouchCounter {
 public:
  static constexpr std::uint64_t kPageBytes = 4096;

  bool is_used() const { return is_used_; }
  void watched(const recording::TouchWatch& watch);
  /// What was live when the first touch came; node_of(stack) says whose a block's stack is.
  template <typename NodeOf>
  void begin(const PlacedBlocks& blocks, const NodeOf& node_of) {
    is_used_ = true;
    blocks.for_each([&](Address address, const LiveBlock& block) {
      // Of a sampled one it is about its size.
      const std::uint64_t bytes = block.bytes / block.blocks;
      ranges_[address.value] = {.end = address.value + bytes, .node = node_of(block.stack)};
    });
  }

  void allocated(Address address, std::uint64_t bytes, std::uint32_t node,
                 recording::ThreadNumber thread);
  /// One of many: what the thread touched before may be in others.
  void sampled(Address address, std::uint64_t bytes, std::uint32_t node);
  /// Returns how many bytes of it were known; 0: none.
  std::uint64_t freed(Address address);

  /// `mapping_node`: of who mapped that page itself; 0: nobody. `toucher_node`: who touched it.
  void touched(const recording::Touch& touch, std::uint32_t mapping_node,
               std::uint32_t toucher_node);

  model::FirstTouch finish() const;

 private:
  struct Range {
    std::uint64_t end = 0;
    std::uint32_t node = 0;
  };
  /// A fault of an address that is in no block yet: the allocator wrote to it before it gave it
  /// out.
  struct Early {
    Address address;
    recording::ThreadNumber thread = 0;
    std::uint32_t mapping_node = 0;
  };
  static constexpr std::size_t kMostEarly = 64;
  // Of an allocator's header before a block, which is written when the block is made, or the one
  // before it. A touch can be told of after either: times of events stand for several of them.
  static constexpr std::uint64_t kHeaderBytes = 16;

  void count(model::Amount& total, std::uint32_t owner_node);
  void count_elsewhere(const Early& early);

  bool is_used_ = false;
  std::map<std::uint64_t, Range> ranges_;  // by begin
  std::vector<Early> early_;
  model::FirstTouch touch_{};
  std::map<std::uint32_t, model::Amount> owners_;  // by node
  std::map<std::uint32_t, model::Amount> touchers_;
};

}  // namespace mini::sources
