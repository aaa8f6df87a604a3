// HTML as the lab's pages need it: well-formed as XML, so that it can be checked.
#pragma once

#include <string>
#include <string_view>

namespace mini::lab {

std::string escape_html(std::string_view text);

/// A little Markdown in a line or paragraph: `code`, *emphasis*, **bold**, [text](link).
std::string inline_html(std::string_view markdown);

/// The same of a page's own prose, with each word of the glossary linked where it first occurs.
std::string prose_html(std::string_view text);

/// Paragraphs separated by an empty line, with terms linked; lines that begin with a space are
/// kept as they are.
std::string paragraphs_html(std::string_view text);

/// A program, each line an element of its own, which the page numbers.
std::string source_html(std::string_view text);

struct WebPage {
  std::string title;
  std::string body;
  std::string previous;  // file names; "" for none
  std::string next;
  bool wide = false;  // two columns of code
};

/// The whole file.
std::string page_html(const WebPage& page);

}  // namespace mini::lab
