#include "cli/own_words.h"

#include <algorithm>
#include <fmt/format.h>

namespace mini::cli {
namespace {

bool takes_value(const CLI::Option* option) {
  return option != nullptr && option->get_items_expected_min() > 0;
}

/// Whether the option in `word` takes the next word as its value: "--min", "-o", "-qo", but not
/// "--min=1", "-oFILE".
bool takes_next_word(const CLI::App& app, const std::string& word) {
  if (word.starts_with("--")) {
    return word.find('=') == std::string::npos && takes_value(app.get_option_no_throw(word));
  }
  for (std::size_t i = 1; i < word.size(); ++i) {
    if (takes_value(app.get_option_no_throw(std::string{'-', word[i]})))
      return i + 1 == word.size();
  }
  return false;
}

/// How many of `words` are ours: up to "--" or the first word that is no option nor its value.
/// CMD's own options are never looked at.
std::size_t count_own_words(const CLI::App& app, std::span<const std::string> words) {
  std::size_t i = 0;
  while (i < words.size() && words[i].size() > 1 && words[i].front() == '-' && words[i] != "--") {
    i += takes_next_word(app, words[i]) ? 2U : 1U;
  }
  return std::min(i, words.size());
}

/// The option that CLI11's message is about: "--min: 1 required TEXT missing".
std::string_view option_in(std::string_view message) {
  const auto begin = message.find('-');
  if (begin == std::string_view::npos) return message;
  return message.substr(begin, message.find_first_of(": \n", begin) - begin);
}

/// CLI11's error as one line of ours.
std::string usage_message(const CLI::ParseError& error, std::string_view command) {
  const std::string_view message = error.what();
  const std::string_view wrong = dynamic_cast<const CLI::ArgumentMismatch*>(&error) != nullptr
                                     ? "needs a value, once"
                                     : "does not take this value";
  return fmt::format("{} {}; see 'heapspy {} --help'", option_in(message), wrong, command);
}

}  // namespace

Result<std::vector<std::string>> parse_own_words(CLI::App& app, std::span<const std::string> words,
                                                 std::string_view command) {
  const std::size_t own_count = count_own_words(app, words);
  auto rest = words.subspan(own_count);
  if (!rest.empty() && rest.front() == "--") rest = rest.subspan(1);
  std::vector<std::string> reversed(words.begin(),
                                    words.begin() + static_cast<std::ptrdiff_t>(own_count));
  std::reverse(reversed.begin(), reversed.end());
  try {
    app.parse(std::move(reversed));
  } catch (const CLI::ParseError& error) {
    return fail(usage_message(error, command));
  }
  if (const auto unknown = app.remaining(); !unknown.empty()) {
    return fail(fmt::format("no option '{}': see 'heapspy {} --help'", unknown.front(), command));
  }
  return std::vector<std::string>(rest.begin(), rest.end());
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
