#include "lab/site/line_diff.h"

#include <algorithm>
#include <cstdint>

#include "base/text.h"

namespace mini::lab {
namespace {

using Lines = std::vector<std::string_view>;

/// common[i][j]: how many lines of before[i…] and after[j…] are the same, in the best alignment.
class Alignment {
 public:
  Alignment(const Lines& before, const Lines& after)
      : width_(after.size() + 1), common_((before.size() + 1) * width_) {
    for (std::size_t i = before.size(); i-- > 0;) {
      for (std::size_t j = after.size(); j-- > 0;) {
        at(i, j) =
            before[i] == after[j] ? at(i + 1, j + 1) + 1 : std::max(at(i + 1, j), at(i, j + 1));
      }
    }
  }
  std::uint32_t& at(std::size_t i, std::size_t j) { return common_[i * width_ + j]; }

 private:
  std::size_t width_;
  std::vector<std::uint32_t> common_;
};

// The last hunk if it is of this kind, else a new one.
DiffHunk& hunk_for(std::vector<DiffHunk>& hunks, bool same) {
  if (hunks.empty() || hunks.back().same != same) hunks.push_back({{}, {}, same});
  return hunks.back();
}

}  // namespace

std::vector<std::string_view> split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) lines.push_back(take_line(text));
  return lines;
}

std::vector<DiffHunk> diff_lines(std::string_view before_text, std::string_view after_text) {
  const Lines before = split_lines(before_text);
  const Lines after = split_lines(after_text);
  Alignment common(before, after);
  std::vector<DiffHunk> hunks;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      DiffHunk& hunk = hunk_for(hunks, true);
      hunk.before.push_back(before[i++]);
      hunk.after.push_back(after[j++]);
    } else if (j == after.size() ||
               (i < before.size() && common.at(i + 1, j) >= common.at(i, j + 1))) {
      hunk_for(hunks, false).before.push_back(before[i++]);
    } else {
      hunk_for(hunks, false).after.push_back(after[j++]);
    }
  }
  return hunks;
}

}  // namespace mini::lab
