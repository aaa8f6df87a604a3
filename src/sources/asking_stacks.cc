#include "sources/asking_stacks.h"

#include <algorithm>
#include <cstdint>
#include <unordered_map>
#include <vector>

namespace mini::sources {
namespace {

using model::HeapProfile;

// As a frame of its own: what it was inlined into is the program's.
bool is_operator_new(const model::ProfileFrame& frame) {
  const auto is_one = [](const model::SourceLine& line) {
    return line.function.starts_with("operator new(") ||
           line.function.starts_with("operator new[](");
  };
  return !frame.lines.empty() && std::ranges::all_of(frame.lines, is_one);
}

void merge(model::StackProfile& into, const model::StackProfile& part) {
  into += part;
}

void merge(model::StackUsable& into, const model::StackUsable& part) {
  if (into.block_bytes != part.block_bytes) into.block_bytes = 0;
  into.peak += part.peak;
  into.peak_usable_bytes += part.peak_usable_bytes;
}

void merge(model::TouchProfile& into, const model::TouchProfile& part) {
  into.touched += part.touched;
}

void merge(model::InheritedProfile& into, const model::InheritedProfile& part) {
  into.at_fork += part.at_fork;
  into.freed += part.freed;
}

std::uint32_t part_of(const model::StackProfile& row) {
  return row.part;
}

/// Only stacks are divided.
std::uint32_t part_of(const auto&) {
  return 0;
}

class Askers {
 public:
  explicit Askers(const HeapProfile& profile) : profile_(profile) {
    for (const model::ProfileFrame& frame : profile.frames) {
      is_operator_new_.push_back(is_operator_new(frame));
    }
  }

  bool any() const { return std::ranges::find(is_operator_new_, true) != is_operator_new_.end(); }

  /// Each row gets the node of whom operator new was called by; of one node there is one row, or
  /// one for each part.
  template <typename Row>
  void apply(std::vector<Row>& rows) const {
    std::unordered_map<std::uint64_t, std::uint32_t> places;  // in `rows`, by node and part
    places.reserve(rows.size());
    std::uint32_t count = 0;
    for (const Row& row : rows) {
      const std::uint32_t node = asker(row.node);
      const auto [place, is_new] =
          places.try_emplace(std::uint64_t{node} << 32U | part_of(row), count);
      if (is_new) {
        rows[count] = row;
        rows[count++].node = node;
      } else {
        merge(rows[place->second], row);
      }
    }
    rows.resize(count);
  }

 private:
  std::uint32_t asker(std::uint32_t node) const {
    const std::vector<model::StackNode>& nodes = profile_.nodes;
    while (nodes[node].caller != 0 && is_operator_new_[nodes[node].frame]) {
      node = nodes[node].caller;
    }
    return node;
  }

  const HeapProfile& profile_;
  std::vector<bool> is_operator_new_;  // by frame
};

}  // namespace

void leave_out_operator_new(HeapProfile& profile) {
  const Askers askers(profile);
  if (!askers.any()) return;
  askers.apply(profile.stacks);
  askers.apply(profile.usable.stacks);
  askers.apply(profile.first_touch.owners);
  askers.apply(profile.inheritance.stacks);
}

}  // namespace mini::sources
