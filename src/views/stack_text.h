// Stacks as the rows of a table show them: those that are different look different.
#pragma once

#include <cstddef>
#include <string>
#include <vector>

#include "explain/profile_frames.h"

namespace mini::views {

struct StackText {
  std::string place;
  std::vector<std::string> callers;  // from the place outwards: some, and how many more
  // What the place called, from there inwards, where stacks part that are the same otherwise.
  std::vector<std::string> callees;
};

/// Of each its place with at most `callers` callers.
std::vector<StackText> describe_stacks(const std::vector<explain::ProfileStackView>& stacks,
                                       std::size_t callers);

/// The same; where names do not tell stacks apart, with the addresses that do.
std::vector<StackText> describe_stacks_exactly(const std::vector<explain::ProfileStackView>& stacks,
                                               std::size_t callers);

}  // namespace mini::views
