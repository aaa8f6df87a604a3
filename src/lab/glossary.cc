// An entry of docs/glossary.md is a paragraph: <a id="ID"></a>**NAME, NAME**, aside: text. More
// bold words before the colon are names too.
#include "lab/glossary.h"

#include <algorithm>
#include <cctype>

#include "lab/glossary_text.h"

namespace mini::lab {
namespace {

constexpr std::string_view kAnchor = "<a id=\"";
constexpr std::string_view kBold = "**";

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

// "**reachable**, **lost**": each part in bold, and of each the parts between commas.
std::vector<std::string_view> names_in(std::string_view head) {
  std::vector<std::string_view> names;
  while (true) {
    const auto begin = head.find(kBold);
    if (begin == std::string_view::npos) return names;
    head.remove_prefix(begin + kBold.size());
    const auto end = head.find(kBold);
    if (end == std::string_view::npos) return names;
    std::string_view bold = head.substr(0, end);
    head.remove_prefix(end + kBold.size());
    while (!bold.empty()) {
      const auto comma = bold.find(',');
      names.push_back(trim(bold.substr(0, comma)));
      bold.remove_prefix(comma == std::string_view::npos ? bold.size() : comma + 1);
    }
  }
}

void add_entry(std::vector<GlossaryEntry>& entries, std::string_view paragraph,
               std::string_view section) {
  paragraph.remove_prefix(kAnchor.size());
  const auto id_end = paragraph.find('"');
  const auto head_begin = paragraph.find(kBold);
  if (id_end == std::string_view::npos || head_begin == std::string_view::npos) return;
  // The colon behind the last name; there is none within a name.
  const auto colon = paragraph.find(':', head_begin);
  if (colon == std::string_view::npos) return;
  const std::string_view head = paragraph.substr(head_begin, colon - head_begin);
  entries.push_back({.id = paragraph.substr(0, id_end),
                     .names = names_in(head),
                     .title = head,
                     .text = trim(paragraph.substr(colon + 1)),
                     .section = section});
}

std::vector<GlossaryEntry> parse(std::string_view text) {
  std::vector<GlossaryEntry> entries;
  std::string_view section;
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    const std::string_view paragraph = trim(text.substr(0, end));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    if (paragraph.starts_with("## ")) section = paragraph.substr(3);
    if (paragraph.starts_with(kAnchor)) add_entry(entries, paragraph, section);
  }
  return entries;
}

bool same_word(std::string_view a, std::string_view b) {
  return std::ranges::equal(
      a, b, [](unsigned char x, unsigned char y) { return std::tolower(x) == std::tolower(y); });
}

}  // namespace

std::span<const GlossaryEntry> glossary() {
  static const std::vector<GlossaryEntry> entries = parse(kGlossaryText);
  return entries;
}

const GlossaryEntry* find_in_glossary(std::string_view name) {
  for (const GlossaryEntry& entry : glossary()) {
    for (const std::string_view known : entry.names) {
      if (same_word(known, name)) return &entry;
    }
  }
  const bool is_plural = name.ends_with('s') || name.ends_with('S');
  return is_plural ? find_in_glossary(name.substr(0, name.size() - 1)) : nullptr;
}

std::string plain_text(std::string_view markdown) {
  std::string text;
  bool in_code = false;
  for (std::size_t i = 0; i < markdown.size(); ++i) {
    const char c = markdown[i];
    const bool is_link_end = c == ']' && i + 1 < markdown.size() && markdown[i + 1] == '(';
    if (c == '`') {
      in_code = !in_code;
    } else if (c == '\n') {
      text += ' ';
    } else if (is_link_end && !in_code) {
      i = std::min(markdown.find(')', i), markdown.size() - 1);
    } else if (in_code || (c != '*' && c != '[')) {
      text += c;
    }
  }
  return text;
}

}  // namespace mini::lab
