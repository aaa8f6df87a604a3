// An event's first line and the details of its arguments, in words.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "model/event.h"
#include "views/text_style.h"

namespace mini::views {

struct Headline {
  std::string call = {};  // "mmap"
  std::string change = {};
  std::string where = {};  // addresses; may be empty
  Ink ink = Ink::kPlain;
};

Headline headline_of(const model::Event& event, const Glyphs& glyphs);

/// The arguments that the headline does not say, each a piece: "PROT_READ", "MAP_PRIVATE", "fd 3".
std::vector<std::string> details_of(const model::Event& event, const Glyphs& glyphs);

/// Path of the file that a call maps from its beginning; "" else: once a file is enough.
std::string_view mapped_path(const model::Event& event);

/// "+132 KiB (135168 bytes)", with the glyph for minus.
std::string format_change(std::int64_t bytes, const Glyphs& glyphs);

}  // namespace mini::views
