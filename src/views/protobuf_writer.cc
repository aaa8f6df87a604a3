#include "views/protobuf_writer.h"

#include <bit>
#include <cstddef>

namespace mini::views {
namespace {

constexpr unsigned kVarint = 0;
constexpr unsigned kLengthDelimited = 2;

std::size_t varint_bytes(std::uint64_t value) {
  return (static_cast<std::size_t>(std::bit_width(value | 1U)) + 6) / 7;
}

}  // namespace

ProtobufWriter& ProtobufWriter::number(unsigned field, std::uint64_t value) {
  if (value == 0) return *this;
  key(field, kVarint);
  varint(value);
  return *this;
}

ProtobufWriter& ProtobufWriter::bytes(unsigned field, std::string_view value) {
  key(field, kLengthDelimited);
  varint(value.size());
  out_ += value;
  return *this;
}

ProtobufWriter& ProtobufWriter::packed(unsigned field, std::span<const std::uint64_t> values) {
  if (values.empty()) return *this;
  std::size_t length = 0;
  for (const std::uint64_t value : values) length += varint_bytes(value);
  key(field, kLengthDelimited);
  varint(length);
  for (const std::uint64_t value : values) varint(value);
  return *this;
}

void ProtobufWriter::varint(std::uint64_t value) {
  while (value >= 0x80) {
    out_ += static_cast<char>(value | 0x80U);
    value >>= 7U;
  }
  out_ += static_cast<char>(value);
}

void ProtobufWriter::key(unsigned field, unsigned wire_type) {
  varint(std::uint64_t{field} << 3U | wire_type);
}

}  // namespace mini::views
