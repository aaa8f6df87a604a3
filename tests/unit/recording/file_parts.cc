// The framing once more, for tests that change files.
#include "file_parts.h"

#include <span>
#include <stdexcept>

#include "recording/checksum.h"

namespace mini::recording {

namespace {

void append(FileBytes& file, ByteSpan bytes) {
  const auto as_bytes = std::as_bytes(bytes);
  file.insert(file.end(), as_bytes.begin(), as_bytes.end());
}

}  // namespace

std::vector<PartBlock> blocks_of(const FileBytes& file) {
  std::vector<PartBlock> blocks;
  const ByteSpan all(reinterpret_cast<const std::uint8_t*>(file.data()), file.size());
  std::size_t at = kHeadBytes;
  while (at + kBlockHeaderBytes <= all.size()) {
    const auto header = parse_block_header(all.subspan(at, kBlockHeaderBytes));
    if (!header) throw std::runtime_error("no block where one should be");
    const ByteSpan stored = all.subspan(at + kBlockHeaderBytes, header->stored_bytes);
    blocks.push_back(
        {at, header->type, header->flags, header->raw_bytes, {stored.begin(), stored.end()}});
    at += kBlockHeaderBytes + header->stored_bytes;
  }
  return blocks;
}

FileBytes file_of(const std::vector<PartBlock>& blocks, std::uint16_t major, std::uint16_t minor) {
  FileBytes file;
  append(file, make_file_head(major, minor));
  std::uint32_t sequence = 0;
  std::size_t last = 0;
  for (const PartBlock& block : blocks) {
    last = file.size();
    append(file, make_block_header({.type = block.type,
                                    .flags = block.flags,
                                    .sequence = sequence++,
                                    .stored_bytes = static_cast<std::uint32_t>(block.stored.size()),
                                    .raw_bytes = block.raw_bytes,
                                    .checksum = xxh64(block.stored)}));
    append(file, block.stored);
  }
  append(file, make_footer(last));
  return file;
}

std::vector<std::size_t> indexes_of(const std::vector<PartBlock>& blocks, BlockType type) {
  std::vector<std::size_t> indexes;
  for (std::size_t i = 0; i < blocks.size(); ++i) {
    if (blocks[i].type == static_cast<std::uint8_t>(type)) indexes.push_back(i);
  }
  return indexes;
}

PartBlock plain_block(std::uint8_t type, ByteVector contents) {
  const auto size = static_cast<std::uint32_t>(contents.size());
  return {.offset = 0, .type = type, .flags = 0, .raw_bytes = size, .stored = std::move(contents)};
}

}  // namespace mini::recording
