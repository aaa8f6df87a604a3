// What a process had when it began as a copy of another one: the other's live blocks, and which of
// them it freed. They are no part of its own totals.
#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "model/heap_profile.h"
#include "sources/live_blocks.h"

namespace mini::sources {

class InheritedBlocks {
 public:
  /// A stack that blocks come from; what add() takes. `node` is the heir's number for it.
  std::uint32_t add_stack(std::uint32_t node) {
    stacks_.push_back({.node = node, .at_fork = {}, .freed = {}});
    return static_cast<std::uint32_t>(stacks_.size() - 1);
  }
  void add(Address address, std::uint32_t stack, model::Amount amount);
  /// The heir freed it: what was there.
  std::optional<LiveBlock> take(Address address);
  /// It did not: what was taken is there again.
  void put_back(Address address, const LiveBlock& block);

  /// apply(address, node, amount) for each that was not freed.
  template <typename Apply>
  void for_each(const Apply& apply) const {
    blocks_.for_each([&](Address address, const LiveBlock& block) {
      apply(address, stacks_[block.stack].node, block.amount());
    });
  }
  void finish(model::Inheritance& inheritance) const;

 private:
  LiveBlocks blocks_;  // `stack` of each is a position in stacks_
  std::vector<model::InheritedProfile> stacks_;
};

}  // namespace mini::sources
