#include "sources/told_record.h"

#include <algorithm>
#include <fmt/format.h>

namespace mini::sources {
namespace {

std::string text_of(const wire::RingReader& reader, std::uint32_t begin, std::uint32_t end) {
  std::string text;
  for (std::uint32_t at = begin; at < end; ++at) {
    const std::uint64_t word = reader.peek(at);
    text.append(reinterpret_cast<const char*>(&word), sizeof word);
  }
  return text;
}

}  // namespace

// The lengths may have changed since they were checked.
ToldModule read_module(const wire::RingReader& reader, std::uint32_t words) {
  const std::uint64_t lengths = reader.peek(wire::kModuleHeadWords - 1);
  const std::size_t path_bytes = lengths & UINT32_MAX;
  const std::size_t id_bytes = lengths >> 32;
  const std::string bytes = text_of(reader, wire::kModuleHeadWords, words);
  ToldModule module{.path = bytes.substr(0, path_bytes),
                    .build_id = {},
                    .load_bias = Address{reader.peek(1)},
                    .begin = reader.peek(2),
                    .end = reader.peek(3)};
  for (std::size_t i = path_bytes; i < std::min(path_bytes + id_bytes, bytes.size()); ++i) {
    module.build_id += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  return module;
}

std::string read_marker_text(const wire::RingReader& reader, std::uint32_t words) {
  return text_of(reader, wire::kMarkerHeadWords, words).substr(0, reader.peek(1));
}

}  // namespace mini::sources
