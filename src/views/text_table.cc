#include "views/text_table.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "views/flow.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

constexpr std::size_t kIndent = 2;
constexpr std::size_t kBetween = 2;

std::size_t shown_width(const std::string& text, const TextStyle& style) {
  return column_width(is_plain_ascii(text) ? text : printable(text, style.unicode));
}

}  // namespace

std::vector<std::size_t> TextTable::column_widths(const TextStyle& style) const {
  std::vector<std::size_t> widths;
  std::size_t total = kIndent;
  for (std::size_t i = 0; i < columns_.size(); ++i) {
    std::size_t width = shown_width(columns_[i].title, style);
    for (const auto& row : rows_) {
      if (i < row.size()) width = std::max(width, shown_width(row[i].text, style));
    }
    total += width + (i == 0 ? 0 : kBetween);
    if (total > style.width) break;
    widths.push_back(width);
  }
  return widths;
}

void TextTable::write(std::string& out, const TextStyle& style) const {
  const std::vector<std::size_t> widths = column_widths(style);
  const auto write_row = [&](const std::vector<Cell>& cells, Ink over) {
    Flow flow(out, style, kIndent);
    std::size_t begin = kIndent;
    for (std::size_t i = 0; i < widths.size() && i < cells.size(); ++i) {
      const std::size_t width = shown_width(cells[i].text, style);
      const std::size_t pad = columns_[i].align == Align::kRight ? widths[i] - width : 0;
      const Ink ink = over == Ink::kPlain ? cells[i].ink : over;
      if (width > 0) flow.column(begin + pad).piece(ink, cells[i].text);
      begin += widths[i] + kBetween;
    }
    flow.end_line();
  };
  std::vector<Cell> titles;
  for (const Column& column : columns_) titles.emplace_back(column.title);
  write_row(titles, Ink::kDim);
  const std::size_t span = std::accumulate(widths.begin(), widths.end(), std::size_t{0}) +
                           kBetween * (widths.size() - std::min<std::size_t>(widths.size(), 1));
  for (std::size_t i = 0; i < rows_.size(); ++i) {
    if (std::find(rules_.begin(), rules_.end(), i) != rules_.end()) {
      std::string rule;
      for (std::size_t n = 0; n < span; ++n) rule += style.glyphs().rule;
      Flow(out, style, kIndent).column(kIndent).put(Ink::kDim, rule).end_line();
    }
    write_row(rows_[i], Ink::kPlain);
  }
}

std::string bar(std::uint64_t part, std::uint64_t whole, std::uint32_t columns,
                const TextStyle& style) {
  std::string text;
  if (whole == 0) return text;
  const double share = static_cast<double>(part) / static_cast<double>(whole);
  for (auto n = std::lround(share * columns); n > 0; --n) text += style.glyphs().bar;
  return text;
}

}  // namespace mini::views
