// Takes recordings apart into their blocks and puts them together again, whole or not.
#pragma once

#include <cstdint>
#include <vector>

#include "recording/block.h"
#include "recording/format.h"
#include "recordings.h"

namespace mini::recording {

struct PartBlock {
  std::size_t offset = 0;
  std::uint8_t type = 0;
  std::uint8_t flags = 0;
  std::uint32_t raw_bytes = 0;
  ByteVector stored;
};

/// Of a sound file.
std::vector<PartBlock> blocks_of(const FileBytes& file);

/// With new checks, new sequence numbers, a footer.
FileBytes file_of(const std::vector<PartBlock>& blocks, std::uint16_t major = kMajorVersion,
                  std::uint16_t minor = kMinorVersion);

/// The indexes of a type's blocks.
std::vector<std::size_t> indexes_of(const std::vector<PartBlock>& blocks, BlockType type);

/// A block that is stored as it is.
PartBlock plain_block(std::uint8_t type, ByteVector contents);

}  // namespace mini::recording
