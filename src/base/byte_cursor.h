// Reads numbers from bytes between two addresses, and never one outside of them.
#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>

namespace mini {

/// A range of this process's memory that is known to be readable.
struct ByteRange {
  std::uintptr_t begin = 0;
  std::uintptr_t end = 0;

  bool contains(std::uintptr_t address) const { return begin <= address && address < end; }
};

/// What lies past the end reads as 0, and ok() is false from then on.
class ByteCursor {
 public:
  explicit ByteCursor(ByteRange bytes) : at_(bytes.begin), end_(bytes.end) {
    if (at_ > end_) fail();
  }

  bool ok() const { return ok_; }
  bool at_end() const { return at_ == end_; }
  std::uintptr_t at() const { return at_; }
  ByteRange rest() const { return {at_, end_}; }

  template <typename T>
  T take() {
    T value{};
    if (end_ - at_ < sizeof value) return fail(), value;
    std::memcpy(&value, reinterpret_cast<const void*>(at_), sizeof value);
    at_ += sizeof value;
    return value;
  }

  void skip(std::uint64_t count) {
    if (count > end_ - at_) return fail();
    at_ += count;
  }

  /// The next `count` bytes as a range of their own; an empty one where there are not so many.
  ByteRange take_range(std::uint64_t count) {
    const std::uintptr_t begin = at_;
    skip(count);
    return ok_ ? ByteRange{begin, at_} : ByteRange{};
  }

  /// LEB128 (DWARF 5, §7.6). Bits beyond the 64th are lost, as they are everywhere; what is padded
  /// to more bytes than kLongestLeb is none.
  std::uint64_t take_uleb() { return take_leb(false); }
  std::int64_t take_sleb() { return static_cast<std::int64_t>(take_leb(true)); }

 private:
  // Ten hold 64 bits. A bound, so that whoever reads one again and again pays for a few bytes only.
  static constexpr unsigned kLongestLeb = 16;

  void fail() {
    ok_ = false;
    at_ = end_;
  }

  std::uint64_t take_leb(bool is_signed) {
    std::uint64_t value = 0;
    unsigned shift = 0;
    std::uint8_t byte = 0;
    do {
      if (shift == 7 * kLongestLeb) return fail(), 0;
      byte = take<std::uint8_t>();
      if (shift < 64) value |= std::uint64_t{byte & 0x7fU} << shift;
      shift += 7;
    } while ((byte & 0x80U) != 0 && ok_);
    if (is_signed && shift < 64 && (byte & 0x40U) != 0) value |= ~std::uint64_t{0} << shift;
    return value;
  }

  std::uintptr_t at_;
  std::uintptr_t end_;
  bool ok_ = true;
};

}  // namespace mini
