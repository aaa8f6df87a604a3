#include "cli/terminal.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cstdio>
#include <cstdlib>
#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "views/utf8.h"

namespace mini::cli {
namespace {

constexpr std::size_t kDefaultWidth = 80;
constexpr std::size_t kWidestByItself = 120;  // longer lines of prose are hard to read

std::optional<std::string> environment(const char* name) {
  const char* value = std::getenv(name);
  return value != nullptr ? std::optional<std::string>(value) : std::nullopt;
}

std::string locale_name() {
  for (const char* name : {"LC_ALL", "LC_CTYPE", "LANG"}) {
    if (auto value = environment(name); value && !value->empty()) return *value;
  }
  return {};
}

bool is_utf8(std::string locale) {
  std::transform(locale.begin(), locale.end(), locale.begin(),
                 [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
  return locale.find("utf-8") != std::string::npos || locale.find("utf8") != std::string::npos;
}

std::optional<std::size_t> parse_columns(const std::optional<std::string>& text) {
  if (!text) return std::nullopt;
  std::size_t columns = 0;
  const auto parsed = std::from_chars(text->data(), text->data() + text->size(), columns);
  if (parsed.ec != std::errc() || parsed.ptr != text->data() + text->size() || columns == 0) {
    return std::nullopt;
  }
  return columns;
}

}  // namespace

Result<ColorChoice> parse_color_choice(std::string_view text) {
  if (text == "auto") return ColorChoice::kAuto;
  if (text == "always") return ColorChoice::kAlways;
  if (text == "never") return ColorChoice::kNever;
  return fail(fmt::format("--color {}: choose auto, always or never", text));
}

Result<void> check_width(std::optional<std::size_t> width) {
  if (!width || (*width >= views::kMinWidth && *width <= 1000)) return {};
  return fail(fmt::format("--width {}: type a number from {} to 1000", *width, views::kMinWidth));
}

Surroundings look_around(int fd) {
  Surroundings around;
  around.is_terminal = isatty(fd) == 1;
  winsize size{};
  if (around.is_terminal && ioctl(fd, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    around.terminal_columns = size.ws_col;
  }
  around.columns = environment("COLUMNS");
  around.no_color = environment("NO_COLOR");
  around.term = environment("TERM");
  around.locale = locale_name();
  return around;
}

bool has_sequences(const Surroundings& surroundings) {
  return surroundings.is_terminal && surroundings.term.value_or("dumb") != "dumb";
}

views::TextStyle choose_style(const Surroundings& surroundings, ColorChoice color,
                              std::optional<std::size_t> width) {
  views::TextStyle style;
  style.unicode = is_utf8(surroundings.locale);
  const bool wanted = !surroundings.no_color || surroundings.no_color->empty();
  const bool able = has_sequences(surroundings);
  style.color = color == ColorChoice::kAlways || (color == ColorChoice::kAuto && wanted && able);
  if (width) {
    style.width = *width;
  } else {
    const std::size_t natural =
        parse_columns(surroundings.columns)
            .value_or(surroundings.terminal_columns.value_or(kDefaultWidth));
    style.width = std::clamp(natural, views::kMinWidth, kWidestByItself);
  }
  return style;
}

void print_error(const std::string& text) {
  std::fputs(text.c_str(), stderr);
}

std::string complaint(std::string_view who, std::string_view message) {
  return fmt::format("{}: {}\n", who, views::printable(message, is_utf8(locale_name())));
}

void print_complaint(std::string_view who, std::string_view message) {
  print_error(complaint(who, message));
}

}  // namespace mini::cli
