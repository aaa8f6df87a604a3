// Appends protocol buffers' encoding to a string: the four kinds of fields that pprof's format
// needs. https://protobuf.dev/programming-guides/encoding
#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace mini::views {

class ProtobufWriter {
 public:
  explicit ProtobufWriter(std::string& out) : out_(out) {}

  /// A number or a boolean; 0 is what a reader assumes, and left out.
  ProtobufWriter& number(unsigned field, std::uint64_t value);
  /// A string, or the encoding of a message.
  ProtobufWriter& bytes(unsigned field, std::string_view value);
  /// A repeated number.
  ProtobufWriter& packed(unsigned field, std::span<const std::uint64_t> values);

 private:
  void varint(std::uint64_t value);
  void key(unsigned field, unsigned wire_type);

  std::string& out_;
};

}  // namespace mini::views
