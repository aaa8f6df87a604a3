// Framing on the reader's side, with what it takes to go on after damage.
#include "recording/block_reader.h"

#include <algorithm>
#include <cstddef>

#include "recording/checksum.h"

namespace mini::recording {

void BlockReader::count_gap_before(std::uint32_t sequence) {
  if (sequence > next_sequence_) lost_blocks_ += sequence - next_sequence_;
  next_sequence_ = std::max<std::uint64_t>(next_sequence_, std::uint64_t{sequence} + 1);
}

/// What is left is too short for a block.
void BlockReader::end_of_file() {
  ByteSpan left = window_.bytes();
  if (left.size() >= kFooterBytes && is_footer(left.last(kFooterBytes))) {
    has_footer_ = true;
    left = left.first(left.size() - kFooterBytes);
  }
  skipped_bytes_ += left.size();
  window_.skip(window_.bytes().size());
  if (sequence_end_ > next_sequence_) lost_blocks_ += sequence_end_ - next_sequence_;
  next_sequence_ = std::max(next_sequence_, sequence_end_);
}

/// Goes on by `least` bytes, and further to what may be a marker or else the last bytes of the
/// window, which may be the beginning of one, or the footer. REQUIRES: 0 < least <= what is there.
void BlockReader::skip_damage(std::size_t least) {
  const ByteSpan bytes = window_.bytes();
  const auto from = bytes.begin() + static_cast<std::ptrdiff_t>(least);
  auto found = static_cast<std::size_t>(std::find(from, bytes.end(), kMarker[0]) - bytes.begin());
  if (bytes.size() >= kBlockHeaderBytes) {
    found = std::min(found, bytes.size() - (kBlockHeaderBytes - 1));
  }
  found = std::max(found, least);
  skipped_bytes_ += found;
  window_.skip(found);
}

/// Whether the block at the window's front has all its bytes, as they were written.
Result<bool> BlockReader::has_sound_bytes(const BlockHeader& header) {
  const std::size_t size = kBlockHeaderBytes + header.stored_bytes;
  const auto have = window_.ensure(size);
  if (!have) return std::unexpected(have.error());
  if (*have < size) return false;
  return xxh64(window_.bytes().subspan(kBlockHeaderBytes, header.stored_bytes)) == header.checksum;
}

std::optional<ByteSpan> BlockReader::decompressed(const BlockHeader& header, ByteSpan stored) {
  if ((header.flags & ~kKnownFlags) != 0) return std::nullopt;
  if ((header.flags & kFlagZstd) == 0) {
    return header.raw_bytes == header.stored_bytes ? std::optional(stored) : std::nullopt;
  }
  if (header.raw_bytes > kMaxRatio * header.stored_bytes) return std::nullopt;
  if (raw_.size() < header.raw_bytes) raw_.resize(header.raw_bytes);
  const std::span<std::uint8_t> raw = std::span(raw_).first(header.raw_bytes);
  if (!decompressor_.fill(stored, raw)) return std::nullopt;
  return raw;
}

Result<std::optional<BlockReader::Block>> BlockReader::next() {
  window_.skip(std::exchange(last_block_bytes_, 0));
  for (;;) {
    const auto have = window_.ensure(kBlockHeaderBytes);
    if (!have) return std::unexpected(have.error());
    if (*have < kBlockHeaderBytes) {
      end_of_file();
      return std::nullopt;
    }
    const auto header = parse_block_header(window_.bytes().first(kBlockHeaderBytes));
    if (!header) {
      skip_damage(1);
      continue;
    }
    const auto is_sound = has_sound_bytes(*header);
    if (!is_sound) return std::unexpected(is_sound.error());
    const std::size_t size = kBlockHeaderBytes + header->stored_bytes;
    if (!*is_sound) {
      sequence_end_ = std::max<std::uint64_t>(sequence_end_, std::uint64_t{header->sequence} + 1);
      // Sound blocks may begin among its bytes, if some are missing. But a file that is made of
      // nothing but such headers must not have every byte checked once for each of them.
      wasted_bytes_ += header->stored_bytes;
      const bool may_waste = wasted_bytes_ <= 8 * (window_.offset() + kMaxBlockBytes);
      skip_damage(may_waste ? 1 : std::min(size, window_.bytes().size()));
      continue;
    }
    count_gap_before(header->sequence);
    const ByteSpan stored = window_.bytes().subspan(kBlockHeaderBytes, header->stored_bytes);
    last_block_bytes_ = size;
    // What this version does not know it need not be able to decompress.
    const bool is_known = header->type <= static_cast<std::uint8_t>(kLastBlockType);
    const auto contents = is_known ? decompressed(*header, stored) : std::optional(ByteSpan());
    if (contents) return Block{header->type, *contents};
    window_.skip(std::exchange(last_block_bytes_, 0));
    skipped_bytes_ += size;
    count_as_lost();
  }
}

}  // namespace mini::recording
