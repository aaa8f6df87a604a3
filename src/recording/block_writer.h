// Puts blocks into a file, one after the other, and keeps the index of the events among them.
#pragma once

#include <cstdint>
#include <vector>

#include "recording/block.h"
#include "recording/bytes.h"
#include "recording/column_compressor.h"
#include "recording/compression.h"
#include "recording/file_sink.h"

namespace mini::recording {

/// Not thread-safe. Errors stick: see FileSink.
class BlockWriter {
 public:
  BlockWriter(int descriptor, GivesUp gives_up) : sink_(descriptor, gives_up) {}

  void write_head();
  /// Compressed where that is shorter. REQUIRES: at most kMaxBlockBytes.
  void write(BlockType type, ByteSpan contents);
  /// The same for an events block, whose columns are compressed already.
  void write_events(ByteSpan contents, std::uint64_t first_time_ns, std::uint64_t allocations,
                    std::uint64_t frees);
  /// The last block, and the footer.
  void write_index();
  Result<void> close() { return sink_.close(); }

  const Result<void>& state() const { return sink_.state(); }
  std::uint64_t written_bytes() const { return sink_.written_bytes(); }
  ColumnCompressor& column_compressor() { return column_compressor_; }

 private:
  struct IndexEntry {
    std::uint64_t offset = 0;
    std::uint64_t first_time_ns = 0;
    std::uint64_t allocations = 0;
    std::uint64_t frees = 0;
  };

  void put_block(BlockType type, std::uint8_t flags, ByteSpan stored, std::size_t raw_bytes);
  void add_to_index(const IndexEntry& entry);

  FileSink sink_;
  Compressor compressor_{Content::kAny};
  ColumnCompressor column_compressor_;
  std::uint32_t sequence_ = 0;
  ByteVector stored_;
  std::vector<IndexEntry> index_;
  std::uint32_t blocks_an_entry_ = 1;  // of events; doubles whenever the index is full
  std::uint32_t blocks_in_last_ = 0;
};

}  // namespace mini::recording
