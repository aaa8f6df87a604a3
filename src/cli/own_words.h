// The words of a heapspy command that are its own, before those of the program that it runs.
#pragma once

#include <CLI/CLI.hpp>
#include <cstddef>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace mini::cli {

/// Parses the options at the begin of `words`, up to "--" or the first word that is none, and
/// returns the words after them: the program and its arguments, which are never looked at. An error
/// is one line that says what to type; `command` is ours: "trace".
Result<std::vector<std::string>> parse_own_words(CLI::App& app, std::span<const std::string> words,
                                                 std::string_view command);

/// Parses options wherever they are among `words`, and returns the words that are none: a command's
/// operands. After "--" all are.
Result<std::vector<std::string>> parse_options_and_operands(CLI::App& app,
                                                            std::span<const std::string> words,
                                                            std::string_view command);

/// How text looks, as it was typed: parse_color_choice() and check_width() of terminal.h check it.
struct RawLook {
  std::string color = "auto";
  std::size_t width = 0;
};
/// Declares --color and --width.
void add_look_options(CLI::App& app, RawLook& raw, const std::string& group);

/// The value of --top, where it was given: "5"; of "all", more than any table has.
Result<void> read_top(const CLI::App& app, std::string_view text, std::optional<std::size_t>& out);

/// Every option's long and short names with their dashes, for the tests of completion and manual.
std::vector<std::string> option_names(const CLI::App& app);

/// What `read` makes of the options that `add` declares: their help, their names. Raw is where a
/// command's options put what was typed; here nothing is.
template <typename Raw, typename Read>
auto with_options(void (*add)(CLI::App& app, Raw& raw), const Read& read) {
  CLI::App app;
  Raw raw;
  add(app, raw);
  return read(app);
}

}  // namespace mini::cli
