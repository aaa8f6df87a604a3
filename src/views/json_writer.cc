#include "views/json_writer.h"

#include <algorithm>
#include <fmt/format.h>
#include <iterator>

#include "base/utf8.h"

namespace mini::views {
namespace {

bool needs_no_escape(std::string_view text) {
  return std::all_of(text.begin(), text.end(),
                     [](char c) { return c >= ' ' && c <= '~' && c != '"' && c != '\\'; });
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  if (needs_no_escape(text)) {
    out += text;
    text = {};
  }
  while (!text.empty()) {
    const Decoded decoded = decode_utf8(text);
    if (!decoded.valid) {
      append_utf8(out, U'\uFFFD');
    } else if (decoded.code == U'"' || decoded.code == U'\\') {
      out += '\\';
      out += static_cast<char>(decoded.code);
    } else if (is_control(decoded.code)) {
      fmt::format_to(std::back_inserter(out), "\\u{:04x}",
                     static_cast<std::uint32_t>(decoded.code));
    } else {
      out += text.substr(0, decoded.length);
    }
    text.remove_prefix(decoded.length);
  }
  out += '"';
}

JsonWriter& JsonWriter::key(std::string_view name) {
  separate();
  append_json_string(out_, name);
  out_ += ':';
  comma_due_ = false;
  return *this;
}

JsonWriter& JsonWriter::string(std::string_view text) {
  separate();
  append_json_string(out_, text);
  return *this;
}

JsonWriter& JsonWriter::number(std::uint64_t n) {
  separate();
  const fmt::format_int digits(n);
  out_.append(digits.data(), digits.size());
  return *this;
}

JsonWriter& JsonWriter::signed_number(std::int64_t n) {
  separate();
  const fmt::format_int digits(n);
  out_.append(digits.data(), digits.size());
  return *this;
}

JsonWriter& JsonWriter::thousandths(std::uint64_t n) {
  separate();
  fmt::format_to(std::back_inserter(out_), "{}.{:03}", n / 1000, n % 1000);
  return *this;
}

JsonWriter& JsonWriter::boolean(bool b) {
  separate();
  out_ += b ? "true" : "false";
  return *this;
}

JsonWriter& JsonWriter::null() {
  separate();
  out_ += "null";
  return *this;
}

JsonWriter& JsonWriter::address(Address a) {
  separate();
  fmt::format_to(std::back_inserter(out_), "\"{:#x}\"", a.value);
  return *this;
}

JsonWriter& JsonWriter::open(char bracket) {
  separate();
  out_ += bracket;
  comma_due_ = false;
  return *this;
}

JsonWriter& JsonWriter::close(char bracket) {
  out_ += bracket;
  comma_due_ = true;
  return *this;
}

void JsonWriter::separate() {
  if (comma_due_) out_ += ',';
  comma_due_ = true;
}

}  // namespace mini::views
