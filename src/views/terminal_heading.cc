#include "views/terminal_heading.h"

#include "views/flow.h"
#include "views/utf8.h"

namespace mini::views {

void write_heading(std::string& out, const TextStyle& style, std::string_view title,
                   std::string_view whose) {
  out += '\n';
  const std::string shown = printable(whose, style.unicode);
  const std::size_t used = title.size() + 2 + (whose.empty() ? 0 : column_width(shown) + 1);
  std::string rule;
  for (std::size_t i = used; i < style.width + 1; ++i) rule += style.glyphs().rule;
  Flow flow(out, style, 0);
  flow.put(Ink::kHeading, title).put(" ").put(Ink::kDim, rule).put(" ");
  flow.put(Ink::kStrong, whose).end_line();
}

}  // namespace mini::views
