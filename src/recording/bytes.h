// Numbers, strings and records as bytes, and back with every bound checked.
#pragma once

#include <bit>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "recording/format.h"

namespace mini::recording {

using ByteVector = std::vector<std::uint8_t>;
using ByteSpan = std::span<const std::uint8_t>;

static_assert(std::endian::native == std::endian::little, "the format's numbers are copied");

template <std::unsigned_integral T>
T load_number(const std::uint8_t* from) {
  T number;
  std::memcpy(&number, from, sizeof number);
  return number;
}

template <std::unsigned_integral T>
void store_number(std::uint8_t* to, T number) {
  std::memcpy(to, &number, sizeof number);
}

inline constexpr std::size_t kMaxVarintBytes = 10;

/// Writes `number` at `to`, which has room for kMaxVarintBytes, and returns the end.
template <typename Byte>
Byte* store_varint(Byte* to, std::uint64_t number) {
  while (number >= 0x80) {
    *to++ = static_cast<Byte>(number | 0x80);
    number >>= 7;
  }
  *to++ = static_cast<Byte>(number);
  return to;
}

/// 0, -1, 1, -2, … as 0, 1, 2, 3, …
constexpr std::uint64_t zigzag(std::uint64_t difference) {
  return (difference << 1) ^ (0 - (difference >> 63));
}
constexpr std::uint64_t unzigzag(std::uint64_t code) {
  return (code >> 1) ^ (0 - (code & 1));
}

inline void put_varint(ByteVector& out, std::uint64_t number) {
  std::uint8_t bytes[kMaxVarintBytes];
  out.insert(out.end(), bytes, store_varint(bytes, number));
}

inline void put_bytes(ByteVector& out, ByteSpan bytes) {
  out.insert(out.end(), bytes.begin(), bytes.end());
}

inline void put_string(ByteVector& out, std::string_view text) {
  put_varint(out, text.size());
  out.insert(out.end(), text.begin(), text.end());
}

/// Takes numbers from the front of a span. Past the end, or in a malformed number, everything reads
/// as 0 or empty and is_bad() becomes true, for good.
class ByteReader {
 public:
  ByteReader() = default;
  explicit ByteReader(ByteSpan bytes) : at_(bytes.data()), end_(bytes.data() + bytes.size()) {}

  bool is_bad() const { return is_bad_; }
  bool at_end() const { return at_ == end_; }
  std::size_t left() const { return static_cast<std::size_t>(end_ - at_); }

  std::uint8_t byte() {
    if (at_ == end_) return fail();
    return *at_++;
  }

  /// left() bytes.
  const std::uint8_t* ahead() const { return at_; }
  /// REQUIRES: index < left().
  std::uint8_t peek(std::size_t index) const { return at_[index]; }
  /// REQUIRES: count <= left().
  void skip(std::size_t count) { at_ += count; }

  std::uint64_t varint() {
    if (at_ != end_ && *at_ < 0x80) return *at_++;
    return long_varint();
  }

  /// The same, and whether it is sound, as all before it.
  bool take_varint(std::uint64_t& number) {
    if (at_ != end_ && *at_ < 0x80) [[likely]] {
      number = *at_++;
      return true;
    }
    number = long_varint();
    return !is_bad_;
  }

  std::uint64_t signed_varint() { return unzigzag(varint()); }

  ByteSpan bytes(std::uint64_t count) {
    if (count > left()) return fail(), ByteSpan();
    const ByteSpan taken(at_, static_cast<std::size_t>(count));
    at_ += count;
    return taken;
  }

  std::string string() {
    const std::uint64_t size = varint();
    if (size > kMaxStringBytes) return fail(), std::string();
    const ByteSpan taken = bytes(size);
    return {taken.begin(), taken.end()};
  }

  /// A reader of the fields of the record here.
  ByteReader record() { return ByteReader(bytes(varint())); }

  /// A field of a record, that an older writer leaves out.
  std::uint64_t varint_or_0() { return at_end() ? 0 : varint(); }

 private:
  std::uint8_t fail() {
    is_bad_ = true;
    at_ = end_;
    return 0;
  }

  std::uint64_t long_varint() {
    std::uint64_t number = 0;
    for (unsigned shift = 0; shift < 64 && at_ != end_; shift += 7) {
      const std::uint8_t byte = *at_++;
      number |= static_cast<std::uint64_t>(byte & 0x7F) << shift;
      if (byte < 0x80) return number;
    }
    return fail();
  }

  const std::uint8_t* at_ = nullptr;
  const std::uint8_t* end_ = nullptr;
  bool is_bad_ = false;
};

}  // namespace mini::recording
