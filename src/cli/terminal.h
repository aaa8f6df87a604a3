// What the place that text goes to can show: its width, its colours, its characters.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "views/text_style.h"

namespace mini::cli {

enum class ColorChoice : std::uint8_t { kAuto, kAlways, kNever };

/// The value of --color. The error says what to type.
Result<ColorChoice> parse_color_choice(std::string_view text);

/// Of --width: whether lines may be that long. The error says what to type.
Result<void> check_width(std::optional<std::size_t> width);

/// What the environment says, gathered once so that tests can say it instead.
struct Surroundings {
  bool is_terminal = false;
  std::optional<std::size_t> terminal_columns;
  std::optional<std::string> columns;   // COLUMNS
  std::optional<std::string> no_color;  // NO_COLOR
  std::optional<std::string> term;      // TERM
  std::string locale;                   // the first that is set of LC_ALL, LC_CTYPE, LANG
};

Surroundings look_around(int fd);

/// Whether it is a terminal that takes escape sequences.
bool has_sequences(const Surroundings& surroundings);

views::TextStyle choose_style(const Surroundings& surroundings, ColorChoice color,
                              std::optional<std::size_t> width);

/// Writes to standard error. Where nobody reads that there is nobody to tell, so it cannot fail;
/// fmt::print would throw.
void print_error(const std::string& text);

/// One line, "heapspy report: MESSAGE". What a terminal would obey is escaped: words and names of
/// files come from anybody.
std::string complaint(std::string_view who, std::string_view message);

/// The same to standard error.
void print_complaint(std::string_view who, std::string_view message);

}  // namespace mini::cli
