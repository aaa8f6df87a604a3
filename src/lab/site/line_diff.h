// Two texts side by side, line by line.
#pragma once

#include <optional>
#include <string_view>
#include <vector>

namespace mini::lab {

struct DiffRow {
  std::optional<std::string_view> before;
  std::optional<std::string_view> after;
  bool same = false;
};

/// With as few changed lines as can be. What was replaced stands beside what replaces it. Cost: the
/// product of the numbers of lines; for sources of a few hundred.
std::vector<DiffRow> diff_lines(std::string_view before, std::string_view after);

std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace mini::lab
