#include "lab/site/line_diff.h"

#include <algorithm>
#include <cstdint>

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

// What was removed beside what was added in its place.
void flush(std::vector<DiffRow>& rows, Lines& removed, Lines& added) {
  for (std::size_t k = 0; k < std::max(removed.size(), added.size()); ++k) {
    DiffRow row;
    if (k < removed.size()) row.before = removed[k];
    if (k < added.size()) row.after = added[k];
    rows.push_back(row);
  }
  removed.clear();
  added.clear();
}

}  // namespace

std::vector<std::string_view> split_lines(std::string_view text) {
  Lines lines;
  while (!text.empty()) {
    const auto newline = text.find('\n');
    lines.push_back(text.substr(0, newline));
    text.remove_prefix(newline == std::string_view::npos ? text.size() : newline + 1);
  }
  return lines;
}

std::vector<DiffRow> diff_lines(std::string_view before_text, std::string_view after_text) {
  const Lines before = split_lines(before_text);
  const Lines after = split_lines(after_text);
  Alignment common(before, after);
  std::vector<DiffRow> rows;
  Lines removed;
  Lines added;
  std::size_t i = 0;
  std::size_t j = 0;
  while (i < before.size() || j < after.size()) {
    if (i < before.size() && j < after.size() && before[i] == after[j]) {
      flush(rows, removed, added);
      rows.push_back({before[i++], after[j++], true});
    } else if (j == after.size() ||
               (i < before.size() && common.at(i + 1, j) >= common.at(i, j + 1))) {
      removed.push_back(before[i++]);
    } else {
      added.push_back(after[j++]);
    }
  }
  flush(rows, removed, added);
  return rows;
}

}  // namespace mini::lab
