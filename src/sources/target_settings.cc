#include "sources/target_settings.h"

#include <algorithm>
#include <fmt/format.h>
#include <string_view>
#include <unistd.h>

namespace mini::sources {

std::vector<std::string> environment_with(const Variables& variables) {
  std::vector<std::string> environment;
  for (char** variable = environ; variable != nullptr && *variable != nullptr; ++variable) {
    const std::string_view text = *variable;
    const auto is_replaced = [text](const auto& set) {
      return text.starts_with(set.first) && text.substr(set.first.size()).starts_with('=');
    };
    if (std::ranges::none_of(variables, is_replaced)) environment.emplace_back(text);
  }
  for (const auto& [name, value] : variables) {
    environment.push_back(fmt::format("{}={}", name, value));
  }
  return environment;
}

std::vector<char*> pointers_to(std::vector<std::string>& words) {
  std::vector<char*> list;
  list.reserve(words.size() + 1);
  for (std::string& word : words) list.push_back(word.data());
  list.push_back(nullptr);
  return list;
}

}  // namespace mini::sources
