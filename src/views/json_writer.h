// Appends JSON to a string: the commas, the escapes, nothing else.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/units.h"

namespace mini::views {

/// Appends `text` as a JSON string, always well-formed UTF-8: a byte that is not becomes U+FFFD.
void append_json_string(std::string& out, std::string_view text);

/// REQUIRES of the caller: keys only inside objects, one value a key, begin and end in pairs.
class JsonWriter {
 public:
  explicit JsonWriter(std::string& out) : out_(out) {}

  JsonWriter& begin_object() { return open('{'); }
  JsonWriter& end_object() { return close('}'); }
  JsonWriter& begin_array() { return open('['); }
  JsonWriter& end_array() { return close(']'); }
  JsonWriter& key(std::string_view name);

  JsonWriter& string(std::string_view text);
  JsonWriter& number(std::uint64_t n);
  JsonWriter& signed_number(std::int64_t n);
  JsonWriter& thousandths(std::uint64_t n);  // 1234 is 1.234
  JsonWriter& boolean(bool b);
  JsonWriter& null();

  JsonWriter& address(Address a);  // "0x…": a number of 64 bits does not survive every reader
  JsonWriter& bytes(Bytes n) { return number(n.count); }
  JsonWriter& address_or_null(std::optional<Address> a) { return a ? address(*a) : null(); }
  JsonWriter& number_or_null(std::optional<std::uint64_t> n) { return n ? number(*n) : null(); }
  JsonWriter& signed_number_or_null(std::optional<std::int64_t> n) {
    return n ? signed_number(*n) : null();
  }
  JsonWriter& bytes_or_null(std::optional<Bytes> n) { return n ? bytes(*n) : null(); }
  JsonWriter& string_or_null(std::string_view text) { return text.empty() ? null() : string(text); }

 private:
  JsonWriter& open(char bracket);
  JsonWriter& close(char bracket);
  void separate();

  std::string& out_;
  bool comma_due_ = false;
};

}  // namespace mini::views
