// Finds the sound blocks of a file, whatever lies between them.
#pragma once

#include <cstdint>
#include <optional>

#include "recording/block.h"
#include "recording/byte_source.h"
#include "recording/compression.h"

namespace mini::recording {

/// Not thread-safe.
class BlockReader {
 public:
  struct Block {
    std::uint8_t type = 0;
    ByteSpan contents;  // valid until the next call
  };

  explicit BlockReader(ByteWindow& window) : window_(window) {}

  /// The next sound block; nullopt at the end of the file. An error where the file cannot be read.
  /// The time it takes is linear in the bytes, of hostile files too.
  Result<std::optional<Block>> next();

  /// The file ends as a finished one does.
  bool has_footer() const { return has_footer_; }
  std::uint64_t skipped_bytes() const { return skipped_bytes_; }
  /// By the gaps in the blocks' sequence; complete when next() has returned nullopt.
  std::uint64_t lost_blocks() const { return lost_blocks_; }
  void count_as_lost() { ++lost_blocks_; }

 private:
  void end_of_file();
  void skip_damage(std::size_t least);
  Result<bool> has_sound_bytes(const BlockHeader& header);
  void count_gap_before(std::uint32_t sequence);
  std::optional<ByteSpan> decompressed(const BlockHeader& header, ByteSpan stored);

  ByteWindow& window_;
  Decompressor decompressor_;
  ByteVector raw_;
  std::size_t last_block_bytes_ = 0;  // in the window's front, handed out
  std::uint64_t next_sequence_ = 0;
  std::uint64_t sequence_end_ = 0;  // of blocks whose header was sound
  std::uint64_t skipped_bytes_ = 0;
  std::uint64_t lost_blocks_ = 0;
  std::uint64_t wasted_bytes_ = 0;  // checked in vain
  bool has_footer_ = false;
};

}  // namespace mini::recording
