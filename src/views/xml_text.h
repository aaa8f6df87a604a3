// Text inside XML.
#pragma once

#include <string>
#include <string_view>

namespace mini::views {

/// `text` as the contents of an element or an attribute: what is markup escaped; control characters
/// and bytes that are no character, which XML allows nowhere, as printable() shows them.
std::string xml_text(std::string_view text);

/// The same of text that is printable() already.
std::string xml_escaped(std::string_view printable_text);

}  // namespace mini::views
