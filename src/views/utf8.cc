#include "views/utf8.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>
#include <utility>

namespace mini::views {
namespace {

struct CodeRange {
  char32_t first, last;
};

// The blocks that matter in names of files and functions; sorted. From Unicode 15's blocks of
// combining marks and its East Asian Width property, simplified to whole blocks.
constexpr CodeRange kZeroWidth[] = {{0x300, 0x36f},   {0x483, 0x489},    {0x591, 0x5bd},
                                    {0x610, 0x61a},   {0x64b, 0x65f},    {0x1ab0, 0x1aff},
                                    {0x1dc0, 0x1dff}, {0x20d0, 0x20ff},  {0xfe00, 0xfe0f},
                                    {0xfe20, 0xfe2f}, {0xe0100, 0xe01ef}};
constexpr CodeRange kWide[] = {{0x1100, 0x115f},   {0x2e80, 0x303e},   {0x3041, 0xa4cf},
                               {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},
                               {0xff00, 0xff60},   {0xffe0, 0xffe6},   {0x1f300, 0x1f64f},
                               {0x1f680, 0x1f6ff}, {0x1f900, 0x1faff}, {0x20000, 0x3fffd}};

// What a terminal would obey or hide instead of show: C0, DEL, C1, zero-width and direction marks,
// line and paragraph separators, the byte order mark, tags.
constexpr CodeRange kUnprintable[] = {
    {0x00, 0x1f},     {0x7f, 0x9f},     {0xad, 0xad},     {0x61c, 0x61c},   {0x200b, 0x200f},
    {0x2028, 0x202e}, {0x2060, 0x206f}, {0xfeff, 0xfeff}, {0xfff0, 0xfffb}, {0xe0000, 0xe007f}};

template <std::size_t N>
bool in_ranges(const CodeRange (&ranges)[N], char32_t code) {
  const auto* at = std::lower_bound(std::begin(ranges), std::end(ranges), code,
                                    [](CodeRange r, char32_t c) { return r.last < c; });
  return at != std::end(ranges) && at->first <= code;
}

constexpr std::pair<char32_t, std::string_view> kAsciiLikeness[] = {
    {U'·', "-"},  {U'×', "x"},   {U'–', "-"},  {U'—', "-"}, {U'‘', "'"},  {U'’', "'"}, {U'“', "\""},
    {U'”', "\""}, {U'…', "..."}, {U'→', "->"}, {U'−', "-"}, {U'≤', "<="}, {U'≥', ">="}};

void append_escape(std::string& out, char32_t code) {
  if (code == U'\n') {
    out += "\\n";
  } else if (code == U'\t') {
    out += "\\t";
  } else if (code < 0x80) {
    fmt::format_to(std::back_inserter(out), "\\x{:02x}", static_cast<std::uint32_t>(code));
  } else {
    fmt::format_to(std::back_inserter(out), "\\u{{{:x}}}", static_cast<std::uint32_t>(code));
  }
}

void append_printable(std::string& out, char32_t code, bool unicode) {
  if (code == U'\\') {
    out += "\\\\";
  } else if (in_ranges(kUnprintable, code)) {
    append_escape(out, code);
  } else if (code < 0x80 || unicode) {
    append_utf8(out, code);
  } else {
    const auto* like = std::find_if(std::begin(kAsciiLikeness), std::end(kAsciiLikeness),
                                    [code](const auto& entry) { return entry.first == code; });
    if (like != std::end(kAsciiLikeness)) {
      out += like->second;
    } else {
      append_escape(out, code);
    }
  }
}

}  // namespace

std::size_t column_width(char32_t code) {
  if (code < 0x300) return 1;
  if (in_ranges(kZeroWidth, code)) return 0;
  return in_ranges(kWide, code) ? 2 : 1;
}

std::size_t column_width(std::string_view text) {
  std::size_t columns = 0;
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    columns += column_width(decoded.code);
    text.remove_prefix(decoded.length);
  }
  return columns;
}

bool is_plain_ascii(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '\\'; });
}

std::string printable(std::string_view text, bool unicode) {
  std::string out;
  out.reserve(text.size());
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    if (decoded.valid) {
      append_printable(out, decoded.code, unicode);
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02x}",
                     static_cast<std::uint32_t>(decoded.code));
    }
    text.remove_prefix(decoded.length);
  }
  return out;
}

}  // namespace mini::views
