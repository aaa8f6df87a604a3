// Two texts side by side, line by line.
#pragma once

#include <string_view>
#include <vector>

namespace mini::lab {

/// Lines that both have, or those that go with those that come in their place.
struct DiffHunk {
  std::vector<std::string_view> before;
  std::vector<std::string_view> after;
  bool same = false;
};

/// With as few changed lines as can be; no two hunks in a row are alike. Cost: the product of the
/// numbers of lines; for sources of a few hundred.
std::vector<DiffHunk> diff_lines(std::string_view before, std::string_view after);

std::vector<std::string_view> split_lines(std::string_view text);

}  // namespace mini::lab
