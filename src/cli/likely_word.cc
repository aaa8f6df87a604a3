#include "cli/likely_word.h"

#include <algorithm>
#include <cstddef>
#include <utility>
#include <vector>

namespace mini::cli {
namespace {

constexpr std::size_t kMostSlips = 2;
constexpr std::size_t kLeastPrefix = 3;

/// How many letters lie between two words, where a swap of neighbours counts as one.
std::size_t count_slips(std::string_view a, std::string_view b) {
  // Rows of the table of distances between beginnings of a and b.
  std::vector<std::size_t> before;
  std::vector<std::size_t> above;
  std::vector<std::size_t> row(b.size() + 1);
  for (std::size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (std::size_t i = 1; i <= a.size(); ++i) {
    before = std::exchange(above, row);
    row[0] = i;
    for (std::size_t j = 1; j <= b.size(); ++j) {
      const std::size_t change = above[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1);
      row[j] = std::min({change, above[j] + 1, row[j - 1] + 1});
      if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1]) {
        row[j] = std::min(row[j], before[j - 2] + 1);
      }
    }
  }
  return row[b.size()];
}

/// Behind the dashes of an option.
std::size_t count_letters(std::string_view word) {
  return word.size() - std::min(word.find_first_not_of('-'), word.size());
}

bool is_beginning(std::string_view typed, std::string_view word) {
  return count_letters(typed) >= kLeastPrefix && word.starts_with(typed);
}

}  // namespace

std::string likely_word(std::string_view typed, std::span<const std::string> words) {
  std::string likely;
  std::size_t least = kMostSlips + 1;
  for (const std::string& word : words) {
    if (typed.size() > word.size() + kMostSlips) continue;
    const std::size_t slips = is_beginning(typed, word) ? 1 : count_slips(typed, word);
    if (slips >= least || 2 * slips >= count_letters(word)) continue;
    least = slips;
    likely = word;
  }
  return likely;
}

}  // namespace mini::cli
