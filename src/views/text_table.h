// A small table: columns as wide as what is in them, numbers to the right, a rule above the total.
#pragma once

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "views/text_style.h"

namespace mini::views {

/// As many of `columns` as `part` is of `whole`.
std::string bar(std::uint64_t part, std::uint64_t whole, std::uint32_t columns,
                const TextStyle& style);

class TextTable {
 public:
  enum class Align : std::uint8_t { kLeft, kRight };
  struct Cell {
    Cell(std::string t) : text(std::move(t)) {}  // NOLINT(google-explicit-constructor)
    Cell(const char* t) : text(t) {}             // NOLINT(google-explicit-constructor)
    Cell(std::string t, Ink i) : text(std::move(t)), ink(i) {}
    std::string text;
    Ink ink = Ink::kPlain;
  };

  /// Right-most columns are left out where the line would be wider than the style allows.
  void add_column(std::string title, Align align) { columns_.push_back({std::move(title), align}); }
  void add_row(std::vector<Cell> cells) { rows_.push_back(std::move(cells)); }
  /// The rows after this call are below a rule.
  void add_rule() { rules_.push_back(rows_.size()); }

  void write(std::string& out, const TextStyle& style) const;

 private:
  struct Column {
    std::string title;
    Align align;
  };
  std::vector<std::size_t> column_widths(const TextStyle& style) const;

  std::vector<Column> columns_;
  std::vector<std::vector<Cell>> rows_;
  std::vector<std::size_t> rules_;
};

}  // namespace mini::views
