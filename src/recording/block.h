// Heads of files and blocks, and the footer: made and recognised.
#pragma once

#include <array>
#include <cstdint>
#include <optional>

#include "recording/bytes.h"
#include "recording/format.h"

namespace mini::recording {

struct FileHead {
  std::uint16_t major = 0;
  std::uint16_t minor = 0;
  bool is_sound = false;  // else the version is not to be believed
};

struct BlockHeader {
  std::uint8_t type = 0;  // a BlockType, or one of a newer version
  std::uint8_t flags = 0;
  std::uint32_t sequence = 0;
  std::uint32_t stored_bytes = 0;
  std::uint32_t raw_bytes = 0;
  std::uint64_t checksum = 0;  // of the stored bytes
};

std::array<std::uint8_t, kHeadBytes> make_file_head(std::uint16_t major, std::uint16_t minor);
std::array<std::uint8_t, kBlockHeaderBytes> make_block_header(const BlockHeader& header);
std::array<std::uint8_t, kFooterBytes> make_footer(std::uint64_t index_offset);

/// nullopt where the magic number is another. REQUIRES: kHeadBytes.
std::optional<FileHead> parse_file_head(ByteSpan bytes);
/// nullopt unless marker, sizes and check are right. REQUIRES: kBlockHeaderBytes.
std::optional<BlockHeader> parse_block_header(ByteSpan bytes);
/// REQUIRES: kFooterBytes.
bool is_footer(ByteSpan bytes);

}  // namespace mini::recording
