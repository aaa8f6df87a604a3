#include "base/utf8.h"

#include <algorithm>
#include <cstddef>
#include <iterator>

namespace mini {

Decoded decode_utf8(std::string_view text) {
  const auto byte = [text](std::size_t i) {
    return static_cast<char32_t>(static_cast<unsigned char>(text[i]));
  };
  const char32_t lead = byte(0);
  if (lead < 0x80) return {lead, 1, true};
  struct Form {
    char32_t mask, mark, least;
  };
  static constexpr Form kForms[] = {{0xe0, 0xc0, 0x80}, {0xf0, 0xe0, 0x800}, {0xf8, 0xf0, 0x10000}};
  for (std::size_t extra = 1; extra <= std::size(kForms); ++extra) {
    const Form form = kForms[extra - 1];
    if ((lead & form.mask) != form.mark) continue;
    if (text.size() <= extra) return {lead, 1, false};
    char32_t code = lead & ~form.mask;
    for (std::size_t i = 1; i <= extra; ++i) {
      if ((byte(i) & 0xc0) != 0x80) return {lead, 1, false};
      code = code << 6 | (byte(i) & 0x3f);
    }
    if (code < form.least || !is_character(code)) return {lead, 1, false};
    return {code, extra + 1, true};
  }
  return {lead, 1, false};
}

void append_utf8(std::string& out, char32_t code) {
  const auto put = [&out](char32_t byte) { out += static_cast<char>(byte); };
  if (code < 0x80) return put(code);
  if (code < 0x800) {
    put(0xc0 | code >> 6);
  } else if (code < 0x10000) {
    put(0xe0 | code >> 12);
    put(0x80 | (code >> 6 & 0x3f));
  } else {
    put(0xf0 | code >> 18);
    put(0x80 | (code >> 12 & 0x3f));
    put(0x80 | (code >> 6 & 0x3f));
  }
  put(0x80 | (code & 0x3f));
}

std::string well_formed_utf8(std::string_view text) {
  const auto is_plain = [](char c) { return c != 0 && static_cast<unsigned char>(c) < 0x80; };
  if (std::ranges::all_of(text, is_plain)) return std::string(text);
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    if (decoded.valid && decoded.code != 0) {
      out += text.substr(0, decoded.length);
    } else {
      append_utf8(out, U'\uFFFD');
    }
    text.remove_prefix(decoded.length);
  }
  return out;
}

}  // namespace mini
