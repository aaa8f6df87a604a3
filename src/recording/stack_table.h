// Gives the same number to the same stack: a caller's stack and one frame more.
#pragma once

#include <cstdint>
#include <vector>

#include "recording/event.h"

namespace mini::recording {

/// Stacks numbered from 1; 0 is that of no frames. 20 bytes each.
///
/// The stacks with the same caller are a tree, in which the frame's number leads to the place, from
/// its lowest bit on: at most 33 are looked at, whatever the numbers. A stack that was just added
/// is the caller of none, so the rest of a new chain costs next to nothing: no hash is made, and
/// nothing is fetched from elsewhere.
class StackTable {
 public:
  struct Stack {
    StackNumber caller = 0;
    FrameNumber frame = 0;
  };

  StackTable() : nodes_(1) {}

  std::uint32_t count() const { return static_cast<std::uint32_t>(nodes_.size() - 1); }
  /// REQUIRES: 0 < number <= count().
  const Stack& operator[](StackNumber number) const { return nodes_[number].stack; }

  /// REQUIRES: caller <= count().
  StackNumber find_or_add(StackNumber caller, FrameNumber frame) {
    StackNumber* link = &nodes_[caller].first_called;
    for (FrameNumber bits = frame; *link != 0; bits >>= 1U) {
      Node& node = nodes_[*link];
      if (node.stack.frame == frame) return *link;
      link = &node.next[bits & 1U];
    }
    const StackNumber added = *link = count() + 1;
    nodes_.push_back({.stack = {.caller = caller, .frame = frame}});
    return added;
  }

 private:
  struct Node {
    Stack stack;
    StackNumber first_called = 0;  // of those whose caller it is
    StackNumber next[2] = {};      // of those with the same caller, by the next bit
  };

  std::vector<Node> nodes_;  // by number
};

}  // namespace mini::recording
