#include "views/place_table.h"

#include <algorithm>

#include "views/flow.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kBetween = 2;

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
  const auto put_figures = [&](Flow& flow, const std::vector<std::string>& figures, Ink ink) {
    std::size_t begin = kIndent;
    for (std::size_t i = 0; i < widths.size(); ++i) {
      flow.column(begin + widths[i] - figures[i].size()).piece(ink, figures[i]);
      begin += widths[i] + kBetween;
    }
    flow.column(text_column);
  };
  Flow titles(out, style, text_column);
  put_figures(titles, titles_, Ink::kDim);
  titles.put(Ink::kDim, name_title_).end_line();
  for (const Row& row : rows_) {
    Flow flow(out, style, text_column);
    put_figures(flow, row.figures, Ink::kPlain);
    flow.piece(Ink::kStrong, row.place).end_line();
    if (!row.callee.empty()) {
      Flow(out, style, text_column + 2)
          .column(text_column)
          .piece(Ink::kDim, (style.unicode ? "→ " : "-> ") + row.callee)
          .end_line();
    }
    if (row.callers.empty()) continue;
    // What is wider than a line goes on further in, so that every arrow begins a name.
    Flow callers(out, style, text_column + 2);
    callers.column(text_column);
    for (const std::string& caller : row.callers) {
      const std::string text = (style.unicode ? "← " : "<- ") + caller;
      if (callers.position() > text_column &&
          !callers.fits(column_width(printable(text, style.unicode)))) {
        callers.end_line();
        callers.column(text_column);
      }
      callers.piece(Ink::kDim, text).put(" ");
    }
    callers.end_line();
  }
}

}  // namespace mini::views
