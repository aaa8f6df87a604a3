#include "agreed_text.h"

#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "views/utf8.h"

namespace mini::views {
namespace {

using nlohmann::json;

std::string text_of_file(const std::string& path) {
  std::ifstream file(path);
  EXPECT_TRUE(file) << path << " is missing";
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

void collect_names(const json& value, std::set<std::string>& names) {
  if (value.is_object()) {
    for (const auto& [name, inner] : value.items()) {
      names.insert(name);
      collect_names(inner, names);
    }
  } else if (value.is_array()) {
    for (const json& inner : value) collect_names(inner, names);
  }
}

}  // namespace

void expect_agreed(const std::string& file, const std::string& text) {
  const std::string path = std::string(MINI_GOLDEN_DIR) + "/" + file;
  if (std::getenv("UPDATE_GOLDEN") != nullptr) {
    std::ofstream(path) << text;
    GTEST_SKIP() << "wrote " << path;
  }
  EXPECT_EQ(text, text_of_file(path));
}

void expect_lines_fit(const std::string& text, std::size_t width) {
  std::istringstream lines(text);
  for (std::string line; std::getline(lines, line);) {
    EXPECT_LE(column_width(line), width) << line;
  }
}

void expect_nothing_obeyed(const std::string& text, const TextStyle& style) {
  for (std::string_view rest = text; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    ASSERT_TRUE(decoded.valid);
    const bool ours = decoded.code == '\n' || (decoded.code == 0x1b && style.color);
    const bool control = decoded.code < 0x20 || (decoded.code >= 0x7f && decoded.code < 0xa0) ||
                         decoded.code == 0x202e;
    EXPECT_TRUE(ours || !control) << static_cast<std::uint32_t>(decoded.code);
    EXPECT_TRUE(style.unicode || decoded.code < 0x80);
    rest.remove_prefix(decoded.length);
  }
}

void expect_documented(const json& value, const std::string& file, std::size_t least) {
  const std::string document = text_of_file(std::string(MINI_DOCS_DIR) + "/" + file);
  std::set<std::string> names;
  collect_names(value, names);
  EXPECT_GT(names.size(), least);
  for (const std::string& name : names) {
    if (name.ends_with("_counted")) continue;
    EXPECT_NE(document.find("`" + name + "`"), std::string::npos) << name;
  }
}

}  // namespace mini::views
