// The fixed-width parts of a file.
#include "recording/block.h"

#include <algorithm>
#include <cstddef>
#include <span>

#include "recording/checksum.h"

namespace mini::recording {

namespace {

// Offsets in a block's header.
constexpr std::size_t kType = 4;
constexpr std::size_t kFlags = 5;
constexpr std::size_t kSequence = 8;
constexpr std::size_t kStored = 12;
constexpr std::size_t kRaw = 16;
constexpr std::size_t kChecksum = 20;
constexpr std::size_t kCheck = 28;

bool begins_with(ByteSpan bytes, ByteSpan expected) {
  return std::equal(expected.begin(), expected.end(), bytes.begin());
}

}  // namespace

std::array<std::uint8_t, kHeadBytes> make_file_head(std::uint16_t major, std::uint16_t minor) {
  std::array<std::uint8_t, kHeadBytes> head{};
  std::copy(kMagic.begin(), kMagic.end(), head.begin());
  store_number(head.data() + 8, major);
  store_number(head.data() + 10, minor);
  store_number(head.data() + 12, short_check(std::span(head).first<12>()));
  return head;
}

std::optional<FileHead> parse_file_head(ByteSpan bytes) {
  if (!begins_with(bytes, kMagic)) return std::nullopt;
  return FileHead{
      .major = load_number<std::uint16_t>(bytes.data() + 8),
      .minor = load_number<std::uint16_t>(bytes.data() + 10),
      .is_sound = load_number<std::uint32_t>(bytes.data() + 12) == short_check(bytes.first(12))};
}

std::array<std::uint8_t, kBlockHeaderBytes> make_block_header(const BlockHeader& header) {
  std::array<std::uint8_t, kBlockHeaderBytes> bytes{};
  std::copy(kMarker.begin(), kMarker.end(), bytes.begin());
  bytes[kType] = header.type;
  bytes[kFlags] = header.flags;
  store_number(bytes.data() + kSequence, header.sequence);
  store_number(bytes.data() + kStored, header.stored_bytes);
  store_number(bytes.data() + kRaw, header.raw_bytes);
  store_number(bytes.data() + kChecksum, header.checksum);
  store_number(bytes.data() + kCheck, short_check(std::span(bytes).first<kCheck>()));
  return bytes;
}

std::optional<BlockHeader> parse_block_header(ByteSpan bytes) {
  if (!begins_with(bytes, kMarker)) return std::nullopt;
  if (load_number<std::uint32_t>(bytes.data() + kCheck) != short_check(bytes.first(kCheck))) {
    return std::nullopt;
  }
  const BlockHeader header{.type = bytes[kType],
                           .flags = bytes[kFlags],
                           .sequence = load_number<std::uint32_t>(bytes.data() + kSequence),
                           .stored_bytes = load_number<std::uint32_t>(bytes.data() + kStored),
                           .raw_bytes = load_number<std::uint32_t>(bytes.data() + kRaw),
                           .checksum = load_number<std::uint64_t>(bytes.data() + kChecksum)};
  if (header.stored_bytes > kMaxBlockBytes || header.raw_bytes > kMaxBlockBytes) {
    return std::nullopt;
  }
  return header;
}

std::array<std::uint8_t, kFooterBytes> make_footer(std::uint64_t index_offset) {
  std::array<std::uint8_t, kFooterBytes> footer{};
  store_number(footer.data(), index_offset);
  store_number(footer.data() + 8, short_check(std::span(footer).first<8>()));
  std::copy(kFooterEnd.begin(), kFooterEnd.end(), footer.begin() + 12);
  return footer;
}

bool is_footer(ByteSpan bytes) {
  return begins_with(bytes.subspan(12), kFooterEnd) &&
         load_number<std::uint32_t>(bytes.data() + 8) == short_check(bytes.first(8));
}

}  // namespace mini::recording
