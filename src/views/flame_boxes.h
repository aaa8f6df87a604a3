// Where the boxes of a flame graph are: the stacks of a profile, merged from the outermost function
// inwards, each function as wide as what the measure says of the stacks through it.
#pragma once

#include <cstddef>
#include <cstdint>
#include <vector>

#include "explain/profile_ranking.h"
#include "model/heap_profile.h"
#include "views/function_table.h"

namespace mini::views {

/// What of a flame graph is drawn.
struct FlameLimits {
  std::size_t most_levels = 1000;   // inner functions of deeper stacks are left out
  std::size_t most_boxes = 50'000;  // the narrowest are left out
  double least_part = 0;            // and those below this part of the whole
};

struct FlameBox {
  std::uint32_t function = 0;  // of the table; of the root: nothing
  std::uint32_t level = 0;     // 0 is the root, which stands for all stacks
  std::uint64_t begin = 0;     // in units of the measure, from the left
  std::uint64_t amount = 0;
};

struct FlameGraph {
  std::vector<FlameBox> boxes;  // the root first, each box behind the one that it stands on
  std::uint32_t levels = 1;     // how many of them have a box
};

/// Children stand side by side on their parent, the widest left; where they are narrower than it,
/// the rest allocated itself, or is left out. REQUIRES: measure != Measure::kLifetime.
FlameGraph make_flame_graph(const model::HeapProfile& profile, explain::Measure measure,
                            FunctionTable& functions, const FlameLimits& limits);

}  // namespace mini::views
