#include "views/place_table.h"

#include <algorithm>
#include <string_view>

#include "views/flow.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kBetween = 2;
constexpr std::size_t kLeastName = 16;  // columns; with fewer, names have lines of their own

/// What is wider than a line goes on further in, so that every arrow begins a name.
void write_calls(std::string& out, const TextStyle& style, std::size_t begin,
                 std::string_view arrow, const std::vector<std::string>& functions) {
  if (functions.empty()) return;
  Flow flow(out, style, begin + 2);
  flow.column(begin);
  for (const std::string& function : functions) {
    const std::string text = std::string(arrow) + function;
    if (flow.position() > begin && !flow.fits(column_width(printable(text, style.unicode)))) {
      flow.end_line();
      flow.column(begin);
    }
    flow.piece(Ink::kDim, text).put(" ");
  }
  flow.end_line();
}

}  // namespace

void PlaceTable::write(std::string& out, const TextStyle& style) const {
  std::vector<std::size_t> widths;
  std::size_t text_column = kIndent;
  for (std::size_t i = 0; i < titles_.size(); ++i) {
    std::size_t width = titles_[i].size();
    for (const Row& row : rows_) width = std::max(width, row.figures[i].size());
    widths.push_back(width);
    text_column += width + kBetween;
  }
  const bool is_below = text_column + kLeastName > style.width;
  const std::size_t name_column = is_below ? kIndent + kBetween : text_column;
  const auto put_figures = [&](Flow& flow, const std::vector<std::string>& figures, Ink ink) {
    std::size_t begin = kIndent;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      flow.column(begin + widths[i] - figures[i].size()).piece(ink, figures[i]);
      begin += widths[i] + kBetween;
    }
    if (is_below) flow.end_line();
    flow.column(name_column);
  };
  Flow titles(out, style, name_column);
  put_figures(titles, titles_, Ink::kDim);
  titles.put(Ink::kDim, name_title_).end_line();
  for (const Row& row : rows_) {
    Flow flow(out, style, name_column);
    put_figures(flow, row.figures, Ink::kPlain);
    flow.piece(Ink::kStrong, row.place).end_line();
    write_calls(out, style, name_column, style.unicode ? "→ " : "-> ", row.callees);
    write_calls(out, style, name_column, style.unicode ? "← " : "<- ", row.callers);
  }
}

}  // namespace mini::views
