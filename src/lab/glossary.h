// The project's glossary, docs/glossary.md as the build put it in: an entry for each word.
#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace mini::lab {

struct GlossaryEntry {
  std::string_view id;                  // of its anchor: "top-chunk"
  std::vector<std::string_view> names;  // "requested", "usable"
  std::string_view title;               // "requested, usable", as it stands there
  std::string_view text;                // after the colon, in Markdown, with line breaks
  std::string_view section;             // "The allocator's view"
};

/// In their order.
std::span<const GlossaryEntry> glossary();

/// The entry with a name, compared without regard to case, or with its plural; nullptr where there
/// is none.
const GlossaryEntry* find_in_glossary(std::string_view name);

/// Of an entry, for a terminal: without marks, on one line.
std::string plain_text(std::string_view markdown);

}  // namespace mini::lab
