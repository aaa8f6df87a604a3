#include "views/xml_text.h"

#include "base/utf8.h"
#include "views/utf8.h"

namespace mini::views {
namespace {

std::string_view entity_of(char32_t code) {
  switch (code) {
    case U'&':
      return "&amp;";
    case U'<':
      return "&lt;";
    case U'>':
      return "&gt;";
    case U'"':
      return "&quot;";
    case U'\'':
      return "&apos;";
    case U'\uFFFE':
    case U'\uFFFF':
      return "\uFFFD";  // the two that are characters, but not of XML
    default:
      return {};
  }
}

}  // namespace

std::string xml_text(std::string_view text) {
  return xml_escaped(is_plain_ascii(text) ? std::string(text) : printable(text, true));
}

std::string xml_escaped(std::string_view printable_text) {
  std::string out;
  out.reserve(printable_text.size());
  for (std::string_view rest = printable_text; !rest.empty();) {
    const Decoded decoded = decode_utf8(rest);
    const std::string_view entity = entity_of(decoded.code);
    out += entity.empty() ? rest.substr(0, decoded.length) : entity;
    rest.remove_prefix(decoded.length);
  }
  return out;
}

}  // namespace mini::views
