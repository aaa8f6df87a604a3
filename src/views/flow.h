// Puts words on lines no wider than the terminal, with colour and a hanging indent.
//
// Everything the terminal form prints goes through here, so nothing of a target reaches a terminal
// unescaped. A number and its unit stay together ("132 KiB"), and no word is broken unless it is
// wider than a whole line.
#pragma once

#include <cstddef>
#include <string>
#include <string_view>

#include "views/text_style.h"

namespace mini::views {

class Flow {
 public:
  /// Appends to `out`. Lines after the first begin at `hanging` columns.
  Flow(std::string& out, const TextStyle& style, std::size_t hanging)
      : out_(out), style_(style), hanging_(hanging) {}
  Flow(const Flow&) = delete;
  Flow& operator=(const Flow&) = delete;

  /// Words, separated at their spaces; one that is wider than a line is broken, if it is a path
  /// after a slash; a leading or trailing space separates from the neighbour.
  Flow& put(Ink ink, std::string_view text);
  Flow& put(std::string_view text) { return put(Ink::kPlain, text); }

  /// One unbreakable piece, spaces and all, as long as it fits a line.
  Flow& piece(Ink ink, std::string_view text);

  /// Goes to a column of this line; no further than one space where it is already past it.
  Flow& column(std::size_t column);

  /// Puts `text` against the right margin, on this line if it fits, else on the next.
  Flow& right(Ink ink, std::string_view text);

  /// Whether `columns` more, after a space, fit on this line.
  bool fits(std::size_t columns) const;
  std::size_t position() const { return column_ + (space_ ? 1 : 0); }

  void end_line();

 private:
  Flow& words(Ink ink, std::string_view text);  // already printable
  void word(Ink ink, std::string_view text);
  void broken_word(Ink ink, std::string_view text);
  void write(Ink ink, std::string_view text, std::size_t columns);
  void pad_to(std::size_t column);

  std::string& out_;
  const TextStyle& style_;
  std::size_t hanging_;
  std::size_t column_ = 0;
  bool space_ = false;  // a space is due before the next word, unless a line begins there
};

}  // namespace mini::views
