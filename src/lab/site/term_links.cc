#include "lab/site/term_links.h"

#include <algorithm>
#include <cctype>
#include <fmt/format.h>
#include <set>
#include <vector>

#include "lab/glossary.h"

namespace mini::lab {
namespace {

struct Term {
  std::string_view name;
  std::string_view id;
};

// Longest first: "top chunk" before "chunk".
const std::vector<Term>& terms() {
  static const std::vector<Term> all = [] {
    std::vector<Term> list;
    for (const GlossaryEntry& entry : glossary()) {
      for (const std::string_view name : entry.names) list.push_back({name, entry.id});
    }
    std::ranges::stable_sort(list, std::greater{}, [](const Term& t) { return t.name.size(); });
    return list;
  }();
  return all;
}

bool is_word_character(char c) {
  return std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_';
}

// How many characters of `text` are the term, in any case, with a plural's ending; 0: none.
std::size_t match(std::string_view text, std::string_view name) {
  if (text.size() < name.size()) return 0;
  const bool same = std::ranges::equal(text.substr(0, name.size()), name, [](char a, char b) {
    return std::tolower(static_cast<unsigned char>(a)) ==
           std::tolower(static_cast<unsigned char>(b));
  });
  if (!same) return 0;
  std::size_t end = name.size();
  if (end < text.size() && text[end] == 's') ++end;
  return end < text.size() && is_word_character(text[end]) ? 0 : end;
}

// The end of a tag, and of what is inside it where links do not belong: code and links.
std::size_t skip_tag(std::string_view html, std::size_t at) {
  for (const std::string_view element : {"code", "a"}) {
    const std::string opening = fmt::format("<{}", element);
    if (!html.substr(at).starts_with(opening)) continue;
    const char after = at + opening.size() < html.size() ? html[at + opening.size()] : '>';
    if (after != '>' && after != ' ') continue;
    const std::string closing = fmt::format("</{}>", element);
    const std::size_t end = html.find(closing, at);
    if (end != std::string_view::npos) return end + closing.size();
  }
  const std::size_t end = html.find('>', at);
  return end == std::string_view::npos ? html.size() : end + 1;
}

const Term* term_at(std::string_view text, std::size_t* size) {
  for (const Term& term : terms()) {
    *size = match(text, term.name);
    if (*size != 0) return &term;
  }
  return nullptr;
}

}  // namespace

std::string link_terms(std::string_view html) {
  std::string out;
  std::set<std::string_view> linked;
  std::size_t at = 0;
  while (at < html.size()) {
    std::size_t end = at + 1;
    const bool begins_word =
        is_word_character(html[at]) && (at == 0 || !is_word_character(html[at - 1]));
    if (html[at] == '<') {
      end = skip_tag(html, at);
    } else if (begins_word) {
      std::size_t size = 0;
      const Term* term = term_at(html.substr(at), &size);
      if (term != nullptr) {
        end = at + size;
        if (linked.insert(term->id).second) {
          out += fmt::format(R"(<a class="term" href="glossary.html#{}">{}</a>)", term->id,
                             html.substr(at, size));
          at = end;
          continue;
        }
      }
    }
    out += html.substr(at, end - at);
    at = end;
  }
  return out;
}

}  // namespace mini::lab
