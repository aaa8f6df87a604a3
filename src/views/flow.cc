#include "views/flow.h"

#include <algorithm>
#include <array>
#include <string>

#include "views/utf8.h"

namespace mini::views {
namespace {

constexpr std::array<std::string_view, 9> kUnits = {"B",   "KiB", "MiB",   "GiB", "TiB",
                                                    "PiB", "EiB", "bytes", "byte"};

/// Where the word at the front of `text` ends; a number takes its unit along.
std::size_t word_end(std::string_view text) {
  const std::size_t end = std::min(text.find(' '), text.size());
  if (end == text.size() || end == 0 || text[end - 1] < '0' || text[end - 1] > '9') return end;
  std::string_view rest = text.substr(end + 1);
  std::size_t unit_size = 0;
  while (unit_size < rest.size() && ((rest[unit_size] | 0x20) >= 'a') &&
         ((rest[unit_size] | 0x20) <= 'z')) {
    ++unit_size;
  }
  if (std::find(kUnits.begin(), kUnits.end(), rest.substr(0, unit_size)) == kUnits.end()) {
    return end;
  }
  return end + 1 + std::min(rest.find(' '), rest.size());
}

}  // namespace

Flow& Flow::put(Ink ink, std::string_view text) {
  if (is_plain_ascii(text)) return words(ink, text);
  return words(ink, printable(text, style_.unicode));
}

Flow& Flow::words(Ink ink, std::string_view text) {
  while (!text.empty()) {
    if (text.front() == ' ') {
      space_ = true;
      text.remove_prefix(1);
      continue;
    }
    const std::size_t end = word_end(text);
    word(ink, text.substr(0, end));
    text.remove_prefix(end);
  }
  return *this;
}

Flow& Flow::piece(Ink ink, std::string_view text) {
  std::string escaped;
  if (!is_plain_ascii(text)) text = escaped = printable(text, style_.unicode);
  if (column_width(text) > style_.width - hanging_) return words(ink, text);
  word(ink, text);
  return *this;
}

Flow& Flow::column(std::size_t column) {
  if (position() < column) {
    space_ = false;
    pad_to(column);
  } else {
    space_ = true;
  }
  return *this;
}

Flow& Flow::right(Ink ink, std::string_view text) {
  std::string escaped;
  if (!is_plain_ascii(text)) text = escaped = printable(text, style_.unicode);
  const std::size_t columns = column_width(text);
  if (columns + hanging_ > style_.width) return words(ink, text);
  if (column_ > 0 && column_ + 2 + columns > style_.width) end_line();
  space_ = false;
  pad_to(style_.width - columns);
  write(ink, text, columns);
  return *this;
}

bool Flow::fits(std::size_t columns) const {
  return column_ + (column_ > 0 ? 1 : 0) + columns <= style_.width;
}

void Flow::end_line() {
  out_.erase(out_.find_last_not_of(' ') + 1);  // up to a column that nothing came to
  out_ += '\n';
  column_ = 0;
  space_ = false;
}

void Flow::word(Ink ink, std::string_view text) {
  const std::size_t columns = column_width(text);
  if (column_ > hanging_ && position() + columns > style_.width) end_line();
  if (column_ == 0) {
    pad_to(hanging_);
  } else if (space_) {
    pad_to(column_ + 1);
  }
  space_ = false;
  if (column_ + columns > style_.width) {
    broken_word(ink, text);
  } else {
    write(ink, text, columns);
  }
}

void Flow::broken_word(Ink ink, std::string_view text) {
  while (!text.empty()) {
    std::size_t size = 0;
    std::size_t columns = 0;
    while (size < text.size()) {
      const Decoded decoded = decode_utf8(text.substr(size));
      const std::size_t wide = column_width(decoded.code);
      if (column_ + columns + wide > style_.width && columns > 0) break;
      columns += wide;
      size += decoded.length;
    }
    const auto slash = text.rfind('/', size - 1);
    // Not where most of the line would be empty.
    if (size < text.size() && slash != std::string_view::npos && slash >= size / 2) {
      size = slash + 1;
      columns = column_width(text.substr(0, size));
    }
    write(ink, text.substr(0, size), columns);
    text.remove_prefix(size);
    if (!text.empty()) {
      end_line();
      pad_to(hanging_);
    }
  }
}

void Flow::write(Ink ink, std::string_view text, std::size_t columns) {
  const bool colored = style_.color && ink != Ink::kPlain;
  if (colored) out_ += ink_sequence(ink);
  out_ += text;
  if (colored) out_ += kInkReset;
  column_ += columns;
}

void Flow::pad_to(std::size_t column) {
  if (column <= column_) return;
  out_.append(column - column_, ' ');
  column_ = column;
}

}  // namespace mini::views
