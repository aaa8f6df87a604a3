// The stacks of a heap profile as a tree of calls: from the program's beginning inwards to what was
// called, or from the places that asked for memory outwards to their callers. Its nodes are calls;
// or functions, files or modules, where neighbours that are the same are one node; or there is a
// tree of calls for each thread or range of sizes.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "explain/profile_ranking.h"
#include "model/heap_profile.h"

namespace mini::explain {

enum class TreeDirection : std::uint8_t { kCallees, kCallers };

struct CallTreeNode {
  std::string label;
  std::uint64_t amount = 0;             // of the measure, with everything below
  std::vector<std::uint32_t> children;  // the most first
};

/// nodes[0] is the root: all stacks. A child's amount is at most its parent's; where the children's
/// add up to less, the rest ended there.
struct CallTree {
  std::vector<CallTreeNode> nodes;
};

/// REQUIRES: measure != Measure::kLifetime; profile.division == division_for(*by) of threads and
/// sizes.
CallTree make_call_tree(const model::HeapProfile& profile, Measure measure, TreeDirection direction,
                        std::optional<Grouping> by = {});

}  // namespace mini::explain
