#include "cli/own_words.h"

#include <algorithm>
#include <charconv>
#include <fmt/format.h>

#include "cli/likely_word.h"

namespace mini::cli {
namespace {

std::size_t count_values(const CLI::Option* option) {
  return option == nullptr ? 0 : static_cast<std::size_t>(option->get_items_expected_min());
}

/// How many of the next words are values of the option in `word`: of "--min", "-o" and "-qo" one,
/// of "--min=1" and "-oFILE" none.
std::size_t count_next_words(const CLI::App& app, const std::string& word) {
  if (word.starts_with("--")) {
    const auto equals = word.find('=');
    const std::size_t count = count_values(app.get_option_no_throw(word.substr(0, equals)));
    return equals == std::string::npos || count == 0 ? count : count - 1;
  }
  for (std::size_t i = 1; i < word.size(); ++i) {
    const std::size_t count = count_values(app.get_option_no_throw(std::string{'-', word[i]}));
    if (count > 0) return i + 1 == word.size() ? count : count - 1;
  }
  return 0;
}

bool is_option(const std::string& word) {
  return word.size() > 1 && word.front() == '-' && word != "--";
}

/// How many of `words` are ours: up to "--" or the first word that is no option nor its value.
/// CMD's own options are never looked at.
std::size_t count_own_words(const CLI::App& app, std::span<const std::string> words) {
  std::size_t i = 0;
  while (i < words.size() && is_option(words[i])) i += 1 + count_next_words(app, words[i]);
  return std::min(i, words.size());
}

/// The option that CLI11's message is about: "--min: 1 required TEXT missing".
std::string_view option_in(std::string_view message) {
  const auto begin = message.find('-');
  if (begin == std::string_view::npos) return message;
  return message.substr(begin, message.find_first_of(": \n", begin) - begin);
}

/// CLI11's error as one line of ours.
std::string usage_message(const CLI::App& app, const CLI::ParseError& error,
                          std::string_view command) {
  const std::string name(option_in(error.what()));
  const CLI::Option* const option = app.get_option_no_throw(name);
  std::string wrong = "needs a value, once";
  if (dynamic_cast<const CLI::ArgumentMismatch*>(&error) == nullptr) {
    const bool has_value = option != nullptr && !option->results().empty();
    wrong = has_value ? fmt::format("does not take '{}'", option->results().back())
                      : "does not take this value";
  }
  return fmt::format("{} {}; see 'heapspy {} --help'", name, wrong, command);
}

std::string unknown_option_message(const CLI::App& app, const std::string& unknown,
                                   std::string_view command) {
  const std::string likely = likely_word(unknown.substr(0, unknown.find('=')), option_names(app));
  if (likely.empty())
    return fmt::format("no option '{}': see 'heapspy {} --help'", unknown, command);
  return fmt::format("no option '{}': did you mean '{}'? See 'heapspy {} --help'", unknown, likely,
                     command);
}

/// Mostly a variable of a script that is not set, where nothing was meant to be asked for.
Result<void> check_not_empty(const CLI::App& app) {
  for (const CLI::Option* option : app.get_options()) {
    const auto& values = option->results();
    if (count_values(option) == 0 || std::ranges::find(values, "") == values.end()) continue;
    return fail(fmt::format("--{} '' is empty: type a value, or leave out --{}",
                            option->get_lnames().front(), option->get_lnames().front()));
  }
  return {};
}

/// Of "--json=5" and "--watch=": CLI11 would take the one for a yes and the other for no value.
Result<void> check_value(const CLI::App& app, const std::string& word) {
  const auto equals = word.find('=');
  if (!word.starts_with("--") || equals == std::string::npos) return {};
  const std::string name = word.substr(0, equals);
  const CLI::Option* const option = app.get_option_no_throw(name);
  if (option == nullptr) return {};
  if (option->get_items_expected_max() == 0) {
    return fail(fmt::format("{} takes no value: leave out '{}'", name, word.substr(equals)));
  }
  if (equals + 1 != word.size() || count_values(option) != 0) return {};
  return fail(fmt::format("{} has no value: type one, or leave out the =", word));
}

/// Parses words that are all options and their values.
Result<void> parse_options(CLI::App& app, std::vector<std::string> words,
                           std::string_view command) {
  for (const std::string& word : words) {
    if (const auto fits = check_value(app, word); !fits) return fits;
  }
  std::reverse(words.begin(), words.end());
  try {
    app.parse(std::move(words));
  } catch (const CLI::ParseError& error) {
    return fail(usage_message(app, error, command));
  }
  if (const auto unknown = app.remaining(); !unknown.empty()) {
    return fail(unknown_option_message(app, unknown.front(), command));
  }
  return check_not_empty(app);
}

}  // namespace

Result<std::vector<std::string>> parse_own_words(CLI::App& app, std::span<const std::string> words,
                                                 std::string_view command) {
  const auto own_count = static_cast<std::ptrdiff_t>(count_own_words(app, words));
  auto rest = words.subspan(static_cast<std::size_t>(own_count));
  if (!rest.empty() && rest.front() == "--") rest = rest.subspan(1);
  const auto parsed = parse_options(app, {words.begin(), words.begin() + own_count}, command);
  if (!parsed) return std::unexpected(parsed.error());
  return std::vector<std::string>(rest.begin(), rest.end());
}

Result<std::vector<std::string>> parse_options_and_operands(CLI::App& app,
                                                            std::span<const std::string> words,
                                                            std::string_view command) {
  std::vector<std::string> options;
  std::vector<std::string> operands;
  while (!words.empty() && words.front() != "--") {
    const bool takes_words = is_option(words.front());
    const std::size_t count =
        takes_words ? std::min(1 + count_next_words(app, words.front()), words.size()) : 1;
    auto& out = takes_words ? options : operands;
    out.insert(out.end(), words.begin(), words.begin() + static_cast<std::ptrdiff_t>(count));
    words = words.subspan(count);
  }
  if (!words.empty()) operands.insert(operands.end(), words.begin() + 1, words.end());
  const auto parsed = parse_options(app, std::move(options), command);
  if (!parsed) return std::unexpected(parsed.error());
  if (std::ranges::find(operands, "") != operands.end()) {
    return fail("'' is empty: type the name of a file");
  }
  return operands;
}

void add_look_options(CLI::App& app, RawLook& raw, const std::string& group) {
  app.add_option("--color", raw.color, "auto, always or never; auto heeds NO_COLOR")
      ->option_text("WHEN")
      ->group(group);
  app.add_option("--width", raw.width, "columns; else COLUMNS, the terminal's, or 80")
      ->check(CLI::NonNegativeNumber)
      ->option_text("N")
      ->group(group);
}

Result<void> read_top(const CLI::App& app, std::string_view text, std::optional<std::size_t>& out) {
  if (app.count("--top") == 0) return {};
  std::size_t top = SIZE_MAX;
  const auto [at, error] = std::from_chars(text.data(), text.data() + text.size(), top);
  const bool is_number = error == std::errc{} && at == text.data() + text.size() && top != 0;
  if (text != "all" && !is_number) {
    return fail(fmt::format("--top {}: type a number from 1 on, or all", text));
  }
  out = top;
  return {};
}

std::vector<std::string> option_names(const CLI::App& app) {
  std::vector<std::string> names;
  for (const CLI::Option* option : app.get_options()) {
    for (const std::string& name : option->get_snames()) names.push_back("-" + name);
    for (const std::string& name : option->get_lnames()) names.push_back("--" + name);
  }
  return names;
}

}  // namespace mini::cli
