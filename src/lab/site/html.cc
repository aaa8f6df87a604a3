#include "lab/site/html.h"

#include <fmt/format.h>

#include "lab/site/style.h"
#include "lab/site/term_links.h"

namespace mini::lab {
namespace {

// Text between two marks at `at`; npos where the second is missing.
std::size_t closing(std::string_view text, std::size_t at, std::string_view mark) {
  return text.find(mark, at + mark.size());
}

struct Markup {
  std::string_view mark;
  std::string_view element;
};

// The longer mark first.
constexpr Markup kMarkup[] = {{"**", "strong"}, {"`", "code"}, {"*", "em"}};

// Appends the marked text at `at` and returns where it ends; 0 where there is none.
std::size_t append_marked(std::string& out, std::string_view text, std::size_t at) {
  for (const Markup& markup : kMarkup) {
    if (!text.substr(at).starts_with(markup.mark)) continue;
    const std::size_t end = closing(text, at, markup.mark);
    if (end == std::string_view::npos) continue;
    const std::size_t begin = at + markup.mark.size();
    const std::string_view inside = text.substr(begin, end - begin);
    // Code has no marks inside.
    out += fmt::format("<{0}>{1}</{0}>", markup.element,
                       markup.mark == "`" ? escape_html(inside) : inline_html(inside));
    return end + markup.mark.size();
  }
  return 0;
}

// [text](target): a link within the page or to the web; other targets are files of the project that
// the site does not have, and only their text stays.
std::size_t append_link(std::string& out, std::string_view text, std::size_t at) {
  const std::size_t middle = text.find("](", at);
  if (text[at] != '[' || middle == std::string_view::npos) return 0;
  const std::size_t end = text.find(')', middle);
  if (end == std::string_view::npos) return 0;
  const std::string inside = inline_html(text.substr(at + 1, middle - at - 1));
  const std::string_view target = text.substr(middle + 2, end - middle - 2);
  const bool works = target.starts_with('#') || target.starts_with("https://");
  out += works ? fmt::format("<a href=\"{}\">{}</a>", escape_html(target), inside) : inside;
  return end + 1;
}

std::string_view wide_class(const WebPage& page) {
  return page.wide ? " class=\"wide\"" : "";
}

std::string navigation(const WebPage& page) {
  const auto link = [](const std::string& file, std::string_view text) {
    return file.empty() ? std::string() : fmt::format("<a href=\"{}\">{}</a>", file, text);
  };
  return fmt::format(
      "<nav{}>{}<a href=\"index.html\">All experiments</a>"
      "<a href=\"stages.html\">Eight allocators</a>"
      "<a href=\"glossary.html\">Glossary</a>{}</nav>\n",
      wide_class(page), link(page.previous, "&#8592; Back"), link(page.next, "Next &#8594;"));
}

}  // namespace

std::string escape_html(std::string_view text) {
  std::string out;
  for (const char c : text) {
    switch (c) {
      case '&':
        out += "&amp;";
        break;
      case '<':
        out += "&lt;";
        break;
      case '>':
        out += "&gt;";
        break;
      case '"':
        out += "&quot;";
        break;
      default:
        // Other control characters have no place in a page.
        if (static_cast<unsigned char>(c) >= ' ' || c == '\n' || c == '\t') out += c;
    }
  }
  return out;
}

std::string inline_html(std::string_view markdown) {
  std::string out;
  std::size_t at = 0;
  while (at < markdown.size()) {
    std::size_t end = append_marked(out, markdown, at);
    if (end == 0) end = append_link(out, markdown, at);
    if (end == 0) {
      out += escape_html(markdown.substr(at, 1));
      end = at + 1;
    }
    at = end;
  }
  return out;
}

std::string prose_html(std::string_view text) {
  return link_terms(inline_html(text));
}

std::string paragraphs_html(std::string_view text) {
  std::string out;
  while (!text.empty()) {
    const auto end = text.find("\n\n");
    const std::string_view paragraph = text.substr(0, end);
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 2);
    out += paragraph.starts_with(' ') ? fmt::format("<pre>{}</pre>\n", escape_html(paragraph))
                                      : fmt::format("<p>{}</p>\n", prose_html(paragraph));
  }
  return out;
}

std::string source_html(std::string_view text) {
  std::string out = "<pre class=\"source\">";
  while (!text.empty()) {
    const std::size_t end = text.find('\n');
    out += fmt::format("<span>{}</span>\n", escape_html(text.substr(0, end)));
    text.remove_prefix(end == std::string_view::npos ? text.size() : end + 1);
  }
  return out + "</pre>\n";
}

std::string page_html(const WebPage& page) {
  const std::string links = navigation(page);
  return fmt::format(
      "<!DOCTYPE html>\n"
      "<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n"
      "<meta charset=\"utf-8\"/>\n"
      "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n"
      "<meta name=\"color-scheme\" content=\"light dark\"/>\n"
      "<title>{0}</title>\n<style>\n{1}</style>\n</head>\n<body>\n"
      "{2}<main{4}>\n<h1>{0}</h1>\n{3}</main>\n{2}</body>\n</html>\n",
      escape_html(page.title), kSiteStyle, links, page.body, wide_class(page));
}

}  // namespace mini::lab
