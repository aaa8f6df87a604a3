// The record that comes next in a ring: what the target wrote there is checked before it is used.
#pragma once

#include <cstdint>
#include <string>

#include "base/units.h"
#include "wire/record.h"
#include "wire/ring.h"

namespace mini::sources {

/// Words of the text or the frames behind the head of a record; more than there can be where it is
/// too long. REQUIRES: the head is there, and is of a kind that has them.
inline std::uint32_t text_words(const wire::RingReader& reader, wire::RecordKind kind) {
  if (kind == wire::RecordKind::kMarker) {
    const std::uint64_t text = reader.peek(wire::kMarkerHeadWords - 1);
    return text > wire::kMostMarkerBytes ? wire::kRingWords
                                         : static_cast<std::uint32_t>((text + 7) / 8);
  }
  if (kind == wire::RecordKind::kStack) return wire::frames_of(reader.peek(0));
  const std::uint64_t lengths = reader.peek(wire::kModuleHeadWords - 1);
  const std::uint64_t path = lengths & UINT32_MAX;
  const std::uint64_t build_id = lengths >> 32;
  if (path > wire::kMostPathBytes || build_id > wire::kMostBuildIdBytes) return wire::kRingWords;
  return static_cast<std::uint32_t>((path + build_id + 7) / 8);
}

/// Words of the next record; 0 where it makes no sense, or not all of it is there. REQUIRES: there
/// is a word.
inline std::uint32_t record_words(const wire::RingReader& reader) {
  const wire::RecordKind kind = wire::kind_of(reader.peek(0));
  const std::uint64_t available = reader.available_words();
  std::uint32_t words = wire::head_words(kind);
  if (words == 0 || words > available) return 0;
  if (kind == wire::RecordKind::kMarker || kind == wire::RecordKind::kModule ||
      kind == wire::RecordKind::kStack) [[unlikely]] {
    words += text_words(reader, kind);
  }
  return words <= available ? words : 0;
}

/// A module as the agent told of it.
struct ToldModule {
  std::string path;  // "": the program itself
  std::string build_id;
  Address load_bias;
  std::uint64_t begin = 0;
  std::uint64_t end = 0;
};

/// REQUIRES of both: record_words() said `words` of the next record, which is of that kind.
ToldModule read_module(const wire::RingReader& reader, std::uint32_t words);
std::string read_marker_text(const wire::RingReader& reader, std::uint32_t words);

}  // namespace mini::sources
