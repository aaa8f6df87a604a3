// Blocks that were inherited, and what a heap profile takes over from the one of its parent.
#include "sources/inherited_blocks.h"

#include <ranges>

#include "sources/heap_profile_builder.h"

namespace mini::sources {

void InheritedBlocks::add(Address address, std::uint32_t stack, model::Amount amount) {
  const LiveBlock block{
      .bytes = amount.bytes, .blocks = static_cast<std::uint32_t>(amount.blocks), .stack = stack};
  if (blocks_.put(address, block)) return;  // twice: it counts once
  stacks_[stack].at_fork += amount;
}

std::optional<LiveBlock> InheritedBlocks::take(Address address) {
  const LiveBlock block = blocks_.take(address);
  if (block.is_none()) return std::nullopt;
  stacks_[block.stack].freed += block.amount();
  return block;
}

void InheritedBlocks::put_back(Address address, const LiveBlock& block) {
  blocks_.put(address, block);
  stacks_[block.stack].freed -= block.amount();
}

void InheritedBlocks::finish(model::Inheritance& inheritance) const {
  for (const model::InheritedProfile& stack : stacks_) {
    inheritance.at_fork += stack.at_fork;
    inheritance.freed += stack.freed;
    inheritance.stacks.push_back(stack);
  }
}

namespace {

/// Copies what the parent's nodes mean into the heir's tables, as far as it is asked for.
class NodeImport {
 public:
  NodeImport(const model::HeapProfile& parent, model::HeapProfile& heir)
      : parent_(parent),
        heir_(heir),
        nodes_(parent.nodes.size()),
        frames_(parent.frames.size()),
        modules_(parent.modules.size()) {}

  /// The heir's number for a node of the parent's.
  std::uint32_t node(std::uint32_t number) {
    chain_.clear();
    // A caller's number is lower (P4), so that this ends.
    for (; number != 0 && nodes_[number] == 0; number = parent_.nodes[number].caller) {
      chain_.push_back(number);
    }
    std::uint32_t caller = nodes_[number];
    for (const std::uint32_t link : std::views::reverse(chain_)) {
      heir_.nodes.push_back({.caller = caller, .frame = frame(parent_.nodes[link].frame)});
      caller = nodes_[link] = static_cast<std::uint32_t>(heir_.nodes.size() - 1);
    }
    return caller;
  }

 private:
  std::uint32_t frame(std::uint32_t number) {
    if (number == 0 || frames_[number] != 0) return frames_[number];
    model::ProfileFrame copy = parent_.frames[number];
    copy.module = module(copy.module);
    heir_.frames.push_back(std::move(copy));
    return frames_[number] = static_cast<std::uint32_t>(heir_.frames.size() - 1);
  }
  std::uint32_t module(std::uint32_t number) {
    if (number == 0 || modules_[number] != 0) return modules_[number];
    heir_.modules.push_back(parent_.modules[number]);
    return modules_[number] = static_cast<std::uint32_t>(heir_.modules.size() - 1);
  }

  const model::HeapProfile& parent_;
  model::HeapProfile& heir_;
  std::vector<std::uint32_t> nodes_;
  std::vector<std::uint32_t> frames_;
  std::vector<std::uint32_t> modules_;
  std::vector<std::uint32_t> chain_;
};

}  // namespace

void HeapProfileBuilder::inherit(const HeapProfileBuilder& parent) {
  // apply(address, the parent's node, amount) for each block that the heir may free.
  const auto for_each_block = [&](const auto& apply) {
    parent.inherited_.for_each(apply);
    parent.blocks_.table().for_each([&](Address address, const LiveBlock& block) {
      if (!counts(block)) return;
      apply(address, parent.stacks_[block.stack].owner,
            model::Amount{.blocks = block.blocks, .bytes = block.bytes});
    });
  };
  // The heir's stacks are in the order of the parent's nodes: that of the blocks is another at each
  // reading, by the table's seed.
  constexpr std::uint32_t kUsed = UINT32_MAX;
  std::vector<std::uint32_t> rows(parent.profile_.nodes.size());  // by the parent's node
  for_each_block([&](Address, std::uint32_t node, model::Amount) { rows[node] = kUsed; });
  NodeImport import(parent.profile_, profile_);
  for (std::uint32_t node = 0; node < rows.size(); ++node) {
    if (rows[node] == kUsed) rows[node] = inherited_.add_stack(import.node(node));
  }
  for_each_block([&](Address address, std::uint32_t node, model::Amount amount) {
    inherited_.add(address, rows[node], amount);
  });
  parent.blocks_.table().for_each([&](Address address, const LiveBlock& block) {
    if (!counts(block)) blocks_.put(address, block);
  });
  // Nodes of the parent's are no nodes of the heir's recording: they count nothing.
  counter_of_node_.resize(profile_.nodes.size());
}

}  // namespace mini::sources
